import { createInflateRaw, type InflateRaw } from "node:zlib";
import { type ByteSource, createByteSource } from "./byte-source.ts";
import { crc32 } from "./crc32.ts";
import { refusal } from "./refusal.ts";
import { maxPathBytes, type UnpackLimits } from "./unpack-limits.ts";

/** `highWaterMark` lets the thread pool inflate the next pieces while this one is written to disk. */
const inflateOptions = { chunkSize: 256 * 1024, highWaterMark: 1024 * 1024 };

/**
 * The bytes inside concatenated gzip members. zlib's own gunzip forgives what follows the last member and hides how
 * many there are, so the frame of each member is read here and only the deflate data is left to zlib.
 */
export async function* gunzipMembers(file: AsyncIterable<Uint8Array>, limits: UnpackLimits): AsyncGenerator<Buffer> {
  const source = createByteSource(file);
  let produced = 0;
  for (let members = 0; members === 0 || (await source.hasMore()); members += 1) {
    if (members >= limits.members) throw refusal("limit_members", `it has more than ${limits.members} gzip members`);
    await readHeader(source, members);
    let crc = 0;
    let size = 0;
    for await (const piece of inflateMember(source)) {
      produced += piece.length;
      checkOutput(produced, source.position(), limits);
      crc = crc32(piece, crc);
      size += piece.length;
      yield piece;
    }
    await readTrailer(source, crc, size);
  }
}

function checkOutput(produced: number, consumed: number, limits: UnpackLimits): void {
  if (produced > limits.bytes) throw refusal("limit_bytes", `it unpacks to more than ${limits.bytes} bytes`);
  if (produced > limits.ratioFreeBytes + limits.ratio * consumed) {
    throw refusal("limit_ratio", `it unpacks to more than ${limits.ratio} times its size`);
  }
}

const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

async function readHeader(source: ByteSource, index: number): Promise<void> {
  const rule = index === 0 ? "gzip_header" : "gzip_trailing";
  const fixed = await source.take(10);
  if (fixed === undefined)
    throw refusal(index === 0 ? "gzip_truncated" : rule, "it ends in the middle of a gzip header");
  const [magic1, magic2, method, flag = 0] = fixed;
  if (magic1 !== 0x1f || magic2 !== 0x8b) {
    const why = index === 0 ? "it is not a gzip file" : "bytes that are no gzip member follow the last one";
    throw refusal(rule, why);
  }
  if (method !== 8 || flag & flags.reserved)
    throw refusal(rule, "a gzip header uses a method or flag that does not exist");
  let crc = crc32(fixed);
  if (flag & flags.extra) {
    const length = await need(source, 2);
    const extra = await need(source, length.readUInt16LE(0));
    crc = crc32(extra, crc32(length, crc));
  }
  for (const bit of [flags.name, flags.comment]) if (flag & bit) crc = await skipText(source, crc);
  if (flag & flags.headerCrc && (await need(source, 2)).readUInt16LE(0) !== (crc & 0xffff)) {
    throw refusal("gzip_checksum", "the checksum of a gzip header is wrong");
  }
}

async function skipText(source: ByteSource, crcBefore: number): Promise<number> {
  let crc = crcBefore;
  for (let length = 0; length <= maxPathBytes; ) {
    const chunk = await source.next();
    if (chunk === undefined) throw truncated();
    const end = chunk.indexOf(0);
    const text = end === -1 ? chunk : chunk.subarray(0, end + 1);
    crc = crc32(text, crc);
    length += text.length;
    if (end === -1) continue;
    source.giveBack(chunk.subarray(end + 1));
    if (length <= maxPathBytes) return crc;
  }
  throw refusal("gzip_header", "a gzip header holds an endless name or comment");
}

async function readTrailer(source: ByteSource, crc: number, size: number): Promise<void> {
  const trailer = await need(source, 8);
  if (trailer.readUInt32LE(0) !== crc || trailer.readUInt32LE(4) !== size % 2 ** 32) {
    throw refusal("gzip_checksum", "its gzip checksum is wrong: the bytes are damaged");
  }
}

async function need(source: ByteSource, count: number): Promise<Buffer> {
  const bytes = await source.take(count);
  if (bytes === undefined) throw truncated();
  return bytes;
}

const truncated = () => refusal("gzip_truncated", "it ends in the middle of a gzip member");

async function* inflateMember(source: ByteSource): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw(inflateOptions);
  const fed = feed(source, inflate);
  fed.catch((error) => inflate.destroy(error));
  try {
    for await (const piece of inflate) yield piece;
    await fed;
  } catch (error) {
    if (isZlibError(error)) throw refusal("gzip_data", `its compressed data is damaged (${error.message})`);
    throw error;
  } finally {
    inflate.destroy();
  }
}

/** Hands compressed bytes to zlib until it takes no more, and gives back what lies behind the end of the deflate data. */
async function feed(source: ByteSource, inflate: InflateRaw): Promise<void> {
  let consumed = 0;
  for (;;) {
    const chunk = await source.next();
    if (chunk === undefined) throw truncated();
    await written(inflate, chunk);
    const taken = inflate.bytesWritten - consumed;
    consumed = inflate.bytesWritten;
    if (taken === chunk.length) continue; // the end shows only when a byte is left over, and the trailer always follows
    source.giveBack(chunk.subarray(taken));
    return;
  }
}

/** zlib does not call back when the stream fails or is destroyed, so "close" ends the waiting as well. */
function written(inflate: InflateRaw, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      inflate.off("close", done);
      resolve();
    };
    inflate.once("close", done);
    inflate.write(chunk, done);
  });
}

const isZlibError = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");
