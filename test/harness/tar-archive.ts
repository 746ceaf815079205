import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";

/** Fields of one raw tar header; what is not said is what an honest archive would hold. */
export interface RawHeader {
  name?: string | Uint8Array;
  type?: string;
  size?: number;
  mode?: number;
  link?: string | Uint8Array;
  magic?: string;
  prefix?: string;
  /** Written over the finished fields, before the checksum is computed. */
  patch?: [offset: number, bytes: string | Uint8Array][];
  /** Instead of the right checksum. */
  checksum?: string;
}

/** One 512-byte header block, honest or not. */
export function header(fields: RawHeader): Buffer {
  const { name = "", type = "0", size = 0, mode = 0o644, link = "", magic = "ustar\x0000", prefix = "" } = fields;
  const block = Buffer.alloc(512);
  const put = (offset: number, bytes: string | Uint8Array) =>
    Buffer.from(typeof bytes === "string" ? Buffer.from(bytes) : bytes).copy(block, offset);
  put(0, name);
  put(100, `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0`);
  put(156, type);
  put(157, link);
  put(257, magic);
  put(345, prefix);
  for (const [offset, bytes] of fields.patch ?? []) put(offset, bytes);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, fields.checksum ?? `${octal(sum, 6)}\0 `);
  return block;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

/** Bytes filled up with zeros to whole blocks. */
export function padded(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(typeof content === "string" ? Buffer.from(content) : content);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A regular file. */
export function file(name: string | Uint8Array, content: string | Uint8Array = "x", more: RawHeader = {}): Buffer {
  return Buffer.concat([header({ name, size: Buffer.byteLength(content), ...more }), padded(content)]);
}

export const folder = (name: string, more: RawHeader = {}): Buffer => header({ name, type: "5", mode: 0o755, ...more });

export const link = (name: string, target: string | Uint8Array): Buffer =>
  header({ name, type: "2", link: target, mode: 0o777 });

/** A PAX extended header with these records. */
export function pax(records: Record<string, string | Uint8Array>): Buffer {
  return file("PaxHeaders/x", Buffer.concat(Object.entries(records).map(([key, value]) => record(key, value))), {
    type: "x",
  });
}

function record(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as Uint8Array), Buffer.from("\n")]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A GNU long name (`L`) or long link (`K`). */
export function gnuLong(type: "L" | "K", name: string): Buffer {
  return file("././@LongLink", `${name}\0`, { type, magic: "ustar  \0" });
}

/** A file whose path may be of any length: PAX where ustar is too small. */
export function longFile(path: string, content = path): Buffer {
  return Buffer.concat([pax({ path }), file("long", content)]);
}

export const endMark: Buffer = Buffer.alloc(1024);

/** Parts and an end mark. */
export const tarOf = (...parts: Uint8Array[]): Buffer => Buffer.concat([...parts, endMark]);

/** Parts and an end mark, in one gzip member. */
export const archive = (...parts: Uint8Array[]): Buffer => gzipSync(tarOf(...parts), { level: 1 });

export const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** `.aether/manifest.json` for files and links, sorted by path bytes. */
export function manifest(files: Record<string, string>): Buffer {
  const paths = Object.keys(files).sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
  const list = paths.map((path) => ({ path, sha256: sha256(files[path] ?? "") }));
  return file(".aether/manifest.json", JSON.stringify({ files: list }));
}
