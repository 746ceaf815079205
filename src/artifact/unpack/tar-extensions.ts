import { decodeUtf8 } from "./entry-path.ts";
import { refusal } from "./refusal.ts";

/** What extension headers say about the entry that follows them; names as bytes, one character each. */
export interface Extensions {
  path?: string;
  link?: string;
  /** Only PAX can say it, and it must agree with the header. */
  size?: number;
  /** Which kind spoke: the two may not speak about one entry, because readers rank them differently. */
  source?: "pax" | "gnu";
}

/** The largest extension header that is read at all. */
export const maxExtensionBytes = 64 * 1024;

/** Keys without meaning for us: times, owners, and what file systems attach. */
const ignoredKeys =
  /^(?:[acm]time|uid|gid|uname|gname|comment|LIBARCHIVE\.(?:creationtime|xattr\..+)|SCHILY\.(?:dev|ino|nlink|fflags|acl\..+|xattr\..+)|RHT\.security\.selinux)$/;

/** Of those, what other readers stop at when it is no number. */
const numericKeys = /^(?:[acm]time|uid|gid)$/;

/** Reads the records of a PAX `x` header: `<length> <key>=<value>\n`, each key once. */
export function parsePax(body: Buffer): Extensions {
  const result: Extensions = { source: "pax" };
  const seen = new Set<string>();
  for (let at = 0; at < body.length; ) {
    const { key, value, end } = paxRecord(body, at);
    if (seen.has(key)) throw refusal("pax_invalid", `an extended header names ${key} twice`);
    seen.add(key);
    apply(result, key, value);
    at = end;
  }
  return result;
}

function paxRecord(body: Buffer, at: number): { key: string; value: string; end: number } {
  const digits = /^([1-9]\d{0,5}) /.exec(body.toString("latin1", at, at + 7))?.[1];
  const end = at + Number(digits);
  const equals = digits === undefined ? -1 : body.indexOf(0x3d, at + digits.length + 1);
  if (digits === undefined || end > body.length || equals === -1 || equals >= end - 1 || body[end - 1] !== 0x0a) {
    throw refusal("pax_invalid", "the records of an extended header are malformed");
  }
  const key = decodeUtf8(body.toString("latin1", at + digits.length + 1, equals));
  return { key, value: body.toString("latin1", equals + 1, end - 1), end };
}

function apply(result: Extensions, key: string, value: string): void {
  if (numericKeys.test(key)) checkNumber(key, value);
  if (ignoredKeys.test(key)) return;
  if (key === "path") result.path = name(key, value);
  else if (key === "linkpath") result.link = name(key, value);
  else if (key === "size") result.size = decimal(value);
  else throw refusal("pax_key", `an extended header uses "${key.slice(0, 60)}", which changes what an entry means`);
}

function name(key: string, value: string): string {
  if (value.length === 0) throw refusal("pax_invalid", `an extended header holds an empty ${key}`);
  return value;
}

function checkNumber(key: string, value: string): void {
  if (/^-?\d{1,12}(?:\.\d{1,20})?$/.test(value)) return;
  throw refusal("tar_number", `an extended header holds ${key}, which is no number`);
}

function decimal(digits: string): number {
  if (!/^(?:0|[1-9]\d{0,14})$/.test(digits))
    throw refusal("tar_number", "an extended header holds a size that is no number");
  return Number(digits);
}

/** Reads the body of a GNU `L` or `K` header: the name, one NUL, nothing behind it. */
export function parseGnuLongName(body: Buffer): string {
  const end = body.length - 1;
  if (end < 1 || body.indexOf(0) !== end) throw refusal("extension_order", "a GNU long name is malformed");
  return body.toString("latin1", 0, end);
}
