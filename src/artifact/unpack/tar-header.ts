import { refusal } from "./refusal.ts";

export const blockBytes = 512;

/** One header block, its fields still as bytes where they are names. */
export interface TarHeader {
  /** The type flag: "0" file, "5" folder, "2" link, "x" PAX, "L" and "K" GNU long names, … */
  type: string;
  path: Buffer;
  link: Buffer;
  size: number;
  mode: number;
}

const oldFile = "\0"; // what tar wrote for a regular file before POSIX

/** Reads a header block that is not all zeros; refuses whatever two readers could understand differently. */
export function parseTarHeader(block: Buffer): TarHeader {
  checkChecksum(block);
  const magic = block.toString("latin1", 257, 265);
  if (magic !== "ustar\x0000" && magic !== "ustar  \0") {
    throw refusal("tar_format", "a header is neither POSIX ustar nor GNU", { entry: block.toString("latin1", 0, 100) });
  }
  const name = text(block, 0, 100);
  const path = magic === "ustar  \0" ? withoutGnuFields(block, name) : withPrefix(prefixOf(block), name);
  const hasTimes = magic === "ustar\x0000" && block[475] === 0;
  for (const [start, length] of hasTimes ? [...ignoredNumbers, ...laterTimes] : ignoredNumbers) {
    checkIgnoredNumber(block, start, length, path);
  }
  const type = block.toString("latin1", 156, 157);
  return {
    type: type === oldFile ? "0" : type,
    path,
    link: text(block, 157, 100),
    size: octal(block, 124, 12, path),
    mode: octal(block, 100, 8, path),
  };
}

/** node-tar and star keep two times at the end of the prefix field, behind a NUL that all readers stop at. */
function prefixOf(block: Buffer): Buffer {
  return block[475] === 0 ? text(block, 345, 131) : text(block, 345, 155);
}

function withPrefix(prefix: Buffer, name: Buffer): Buffer {
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/** GNU keeps times, offsets and sparse maps where POSIX keeps the prefix: an incremental or sparse archive. */
function withoutGnuFields(block: Buffer, name: Buffer): Buffer {
  if (block.subarray(345, blockBytes).every((byte) => byte === 0)) return name;
  throw refusal("tar_format", "a GNU header carries incremental or sparse fields", { entry: name.toString() });
}

/** A field of bytes that ends at the first NUL; bytes behind it would be a name for some other reader. */
function text(block: Buffer, start: number, length: number): Buffer {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  if (end === -1) return Buffer.from(field);
  if (field.subarray(end).every((byte) => byte === 0)) return Buffer.from(field.subarray(0, end));
  throw refusal("tar_format", "a name field holds bytes after its end", { entry: field.toString() });
}

/** Octal digits only: negative and base-256 numbers stand for sizes no artifact has. */
function octal(block: Buffer, start: number, length: number, path: Buffer): number {
  const field = block.toString("latin1", start, start + length);
  const digits = /^ *([0-7]+)[ \0]*$/.exec(field)?.[1];
  if (digits === undefined) {
    throw refusal("tar_number", "a number in its header is not octal", { entry: path.toString() });
  }
  return Number.parseInt(digits, 8);
}

/** Owner, group, time and device numbers say nothing to us, but other readers stop at nonsense in them. */
const ignoredNumbers: [start: number, length: number][] = [
  [108, 8],
  [116, 8],
  [136, 12],
  [329, 8],
  [337, 8],
];
const laterTimes: [start: number, length: number][] = [
  [476, 12],
  [488, 12],
];

function checkIgnoredNumber(block: Buffer, start: number, length: number, path: Buffer): void {
  const field = block.subarray(start, start + length);
  if (isBase256(field) || /^ *[0-7]*[ \0]*$/.test(field.toString("latin1"))) return;
  throw refusal("tar_number", "its owner, group or time is no number", { entry: path.toString() });
}

/** As GNU tar writes large user ids and early times: at most six bytes with a sign in front. */
function isBase256(field: Buffer): boolean {
  const sign = field[0] === 0xff ? 0xff : 0;
  return (field[0] === 0x80 || sign === 0xff) && field.subarray(1, -6).every((byte) => byte === sign);
}

function checkChecksum(block: Buffer): void {
  let sum = 8 * 32; // the checksum field itself counts as spaces
  for (let i = 0; i < 148; i += 1) sum += block[i] as number;
  for (let i = 156; i < blockBytes; i += 1) sum += block[i] as number;
  const stored = /^ *([0-7]+)[ \0]*$/.exec(block.toString("latin1", 148, 156))?.[1];
  if (stored === undefined || Number.parseInt(stored, 8) !== sum) {
    throw refusal("tar_checksum", "the checksum of a header is wrong: this is no tar, or it is damaged");
  }
}
