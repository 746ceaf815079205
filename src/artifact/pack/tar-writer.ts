import { isAscii } from "./entry-name.ts";

/** What a tar header says. Times, owners and all other modes are the same for everyone, so that digests are. */
export interface TarItem {
  kind: "file" | "folder" | "link";
  path: string;
  size: number;
  executable: boolean;
  target: string;
}

export const blockBytes = 512;

/** Two blocks of zeros end an archive. */
export const endOfArchive = new Uint8Array(2 * blockBytes);

/** Bytes of content with the padding behind them. */
export const paddedBytes = (size: number): number => Math.ceil(size / blockBytes) * blockBytes;

/**
 * The header of `item`: ustar, after a PAX header when a name is not ASCII or does not fit. Written here and not with
 * node-tar, whose headers take several times as long: a tenth of all the time to pack.
 */
export function tarHeader(item: TarItem): Uint8Array {
  const { kind, size, executable, target } = item;
  const path = kind === "folder" ? `${item.path}/` : item.path;
  const type = kind === "file" ? "0" : kind === "folder" ? "5" : "2";
  const mode = kind === "file" && !executable ? 0o644 : 0o755;
  const split = splitPath(path);
  const [prefix, name] = split ?? ["", plainly(path)];
  if (split !== undefined && fits(target)) return ustarBlock({ name, prefix, type, mode, size, target });
  const records = [
    split === undefined ? paxRecord("path", path) : "",
    fits(target) ? "" : paxRecord("linkpath", target),
  ];
  return Buffer.concat([
    paxHeader(records.join("")),
    ustarBlock({ name, prefix, type, mode, size, target: plainly(target) }),
  ]);
}

/** Prefix and name of a path that ustar can carry. */
function splitPath(path: string): [string, string] | undefined {
  if (!isAscii(path)) return undefined;
  if (path.length <= nameBytes) return ["", path];
  const slash = path.indexOf("/", path.length - nameBytes - 1);
  return slash > 0 && slash <= prefixBytes && slash < path.length - 1
    ? [path.slice(0, slash), path.slice(slash + 1)]
    : undefined;
}

const nameBytes = 100;
const prefixBytes = 155;

const fits = (target: string): boolean => target.length <= nameBytes && isAscii(target);

/** What stands in a field that a PAX record overrules. */
const plainly = (text: string): string => text.replace(/[^ -~]/g, "_").slice(0, nameBytes);

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  const digits = String(rest + String(rest).length).length;
  return `${rest + digits} ${key}=${value}\n`;
}

function paxHeader(records: string): Buffer {
  const size = Buffer.byteLength(records);
  const body = Buffer.alloc(paddedBytes(size));
  body.write(records);
  return Buffer.concat([ustarBlock({ name: "PaxHeader", prefix: "", type: "x", mode: 0o644, size, target: "" }), body]);
}

interface Ustar {
  name: string;
  prefix: string;
  type: string;
  mode: number;
  size: number;
  target: string;
}

/** All text in it is ASCII. What most headers share is copied, and only the rest is added up. */
function ustarBlock({ name, prefix, type, mode, size, target }: Ustar): Buffer {
  const { bytes, sum: shared } = template(type, mode);
  const block = Buffer.from(bytes);
  let sum = shared + put(block, name, 0) + put(block, target, 157) + put(block, prefix, 345);
  sum += put(block, octal(size, 11), 124);
  put(block, `${octal(sum, 6)}\0 `, 148);
  return block;
}

/** Writes ASCII and gives the sum of its codes. */
function put(block: Buffer, text: string, at: number): number {
  let sum = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    block[at + index] = code;
    sum += code;
  }
  return sum;
}

const templates = new Map<string, { bytes: Buffer; sum: number }>();

function template(type: string, mode: number): { bytes: Buffer; sum: number } {
  const key = type + mode;
  const known = templates.get(key);
  if (known !== undefined) return known;
  const bytes = Buffer.alloc(blockBytes);
  bytes.write(`${octal(mode, 7)}\0`, 100);
  bytes.write("0000000\x000000000\0", 108); // uid, gid
  bytes.write("00000000000\0", 136); // mtime
  bytes.write("        ", 148); // the checksum itself counts as spaces
  bytes.write(type, 156);
  bytes.write("ustar\x0000", 257);
  const made = { bytes, sum: bytes.reduce((sum, byte) => sum + byte, 0) };
  templates.set(key, made);
  return made;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
