import zlib from "node:zlib";

/** CRC-32 of `data`, continued from `previous`. */
export const crc32: (data: Uint8Array, previous?: number) => number =
  typeof zlib.crc32 === "function" ? (data, previous) => zlib.crc32(data, previous) : crc32InJavaScript;

let tables: Uint32Array[] | undefined;

/** For Node before 20.15: four bytes a step. */
export function crc32InJavaScript(data: Uint8Array, previous = 0): number {
  tables ??= createTables();
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const at = (table: Uint32Array, index: number): number => table[index & 0xff] as number;
  let crc = ~previous;
  let i = 0;
  for (; i + 4 <= data.length; i += 4) {
    crc ^=
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    crc = at(t3, crc) ^ at(t2, crc >>> 8) ^ at(t1, crc >>> 16) ^ at(t0, crc >>> 24);
  }
  for (; i < data.length; i += 1) crc = at(t0, crc ^ (data[i] as number)) ^ (crc >>> 8);
  return ~crc >>> 0;
}

function createTables(): Uint32Array[] {
  const first = new Uint32Array(256).map((_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  const result = [first];
  for (let n = 1; n < 4; n += 1) {
    const before = result[n - 1] as Uint32Array;
    result.push(before.map((value) => (value >>> 8) ^ (first[value & 0xff] as number)));
  }
  return result;
}
