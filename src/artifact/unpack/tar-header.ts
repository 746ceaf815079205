import { refusal } from "./refusal.ts";

export const blockBytes = 512;

/** One header block. Names are still bytes, one character each: a Buffer for each of them would take far more memory. */
export interface TarHeader {
  /** The type flag: "0" file, "5" folder, "2" link, "x" PAX, "L" and "K" GNU long names, … */
  type: string;
  path: string;
  link: string;
  size: number;
  mode: number;
}

const oldFile = "\0"; // what tar wrote for a regular file before POSIX
const posix = "ustar\x0000";
const gnu = "ustar  \0";

/** Reads a header block that is not all zeros; refuses whatever two readers could understand differently. */
export function parseTarHeader(block: Buffer): TarHeader {
  checkChecksum(block);
  const magic = block.toString("latin1", 257, 265);
  if (magic !== posix && magic !== gnu) {
    throw refusal("tar_format", "a header is neither POSIX ustar nor GNU", { entry: block.toString("latin1", 0, 100) });
  }
  const name = text(block, 0, 100);
  const path = magic === gnu ? withoutGnuFields(block, name) : withPrefix(prefixOf(block), name);
  for (const [start, length] of ignoredNumbers) checkIgnoredNumber(block, start, length, path);
  if (magic === posix && block[475] === 0) {
    for (const [start, length] of laterTimes) checkIgnoredNumber(block, start, length, path);
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
function prefixOf(block: Buffer): string {
  return block[475] === 0 ? text(block, 345, 131) : text(block, 345, 155);
}

const withPrefix = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}/${name}`);

/** GNU keeps times, offsets and sparse maps where POSIX keeps the prefix: an incremental or sparse archive. */
function withoutGnuFields(block: Buffer, name: string): string {
  if (isZero(block, 345, blockBytes)) return name;
  throw refusal("tar_format", "a GNU header carries incremental or sparse fields", { entry: name });
}

/** A field of bytes that ends at the first NUL; bytes behind it would be a name for some other reader. */
function text(block: Buffer, start: number, length: number): string {
  let end = start;
  while (end < start + length && block[end] !== 0) end += 1;
  if (isZero(block, end, start + length)) return block.toString("latin1", start, end);
  throw refusal("tar_format", "a name field holds bytes after its end", {
    entry: block.toString("latin1", start, start + length),
  });
}

function isZero(block: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (block[at] !== 0) return false;
  return true;
}

/** Octal digits only: negative and base-256 numbers stand for sizes no artifact has. */
function octal(block: Buffer, start: number, length: number, path: string): number {
  const value = parseOctal(block, start, length);
  if (value === undefined) throw refusal("tar_number", "a number in its header is not octal", { entry: path });
  return value;
}

const characters = { nul: 0, blank: 0x20, zero: 0x30, seven: 0x37 };

/** Blanks, digits, then blanks or NULs to the end of the field; undefined for anything else. */
function parseOctal(block: Buffer, start: number, length: number): number | undefined {
  const end = start + length;
  let at = start;
  while (at < end && block[at] === characters.blank) at += 1;
  let value = 0;
  const firstDigit = at;
  for (; at < end; at += 1) {
    const digit = (block[at] ?? 0) - characters.zero;
    if (digit < 0 || digit > characters.seven - characters.zero) break;
    value = value * 8 + digit;
  }
  if (at === firstDigit) return undefined;
  for (; at < end; at += 1) if (block[at] !== characters.nul && block[at] !== characters.blank) return undefined;
  return value;
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

function checkIgnoredNumber(block: Buffer, start: number, length: number, path: string): void {
  if (parseOctal(block, start, length) !== undefined || isBlank(block, start, length)) return;
  if (isBase256(block, start, length)) return;
  throw refusal("tar_number", "its owner, group or time is no number", { entry: path });
}

function isBlank(block: Buffer, start: number, length: number): boolean {
  return /^ *\0*$/.test(block.toString("latin1", start, start + length));
}

/** As GNU tar writes large user ids and early times: at most six bytes with a sign in front. */
function isBase256(block: Buffer, start: number, length: number): boolean {
  const field = block.subarray(start, start + length);
  const sign = field[0] === 0xff ? 0xff : 0;
  return (field[0] === 0x80 || sign === 0xff) && field.subarray(1, -6).every((byte) => byte === sign);
}

function checkChecksum(block: Buffer): void {
  let sum = 8 * characters.blank; // the checksum field itself counts as blanks
  for (let i = 0; i < 148; i += 1) sum += block[i] ?? 0;
  for (let i = 156; i < blockBytes; i += 1) sum += block[i] ?? 0;
  if (parseOctal(block, 148, 8) !== sum) {
    throw refusal("tar_checksum", "the checksum of a header is wrong: this is no tar, or it is damaged");
  }
}
