import { closeSync, constants, openSync, readSync } from "node:fs";
import { AetherError, asDiskError, messageOf, systemCode } from "../../lib/errors.ts";
import { printable } from "./entry-name.ts";
import { findMember, writeMember } from "./member-cache.ts";
import { paddedBytes, type TarItem, tarHeader } from "./tar-writer.ts";

/** An entry as a member needs it: where it is read, and what its header says. */
export type MemberEntry = TarItem & { source: string };

/** How members are made; part of every cache key. */
export interface MemberOptions {
  /** libdeflate's, 1 to 12. */
  level: number;
  /** Where members are kept; absent: nowhere. */
  cacheFolder?: string | undefined;
}

/** What becomes one gzip member: entries still to be read, or tar bytes. */
export type MemberInput = { entries: MemberEntry[] } | { bytes: Uint8Array };

export interface Member {
  /** Of the input, the level and this code's version. */
  key: string;
  bytes: Uint8Array;
  /** Of `bytes`. */
  sha256: string;
  /** Of the tar stream. */
  rawBytes: number;
  /** SHA-256 of each entry's content, joined by commas: a file's bytes, a link's target, "" for a folder. */
  contents: string;
  reused: boolean;
  /** Why the cache could not keep it. */
  warning?: string | undefined;
}

/** Change it when the same input gives other bytes than before. */
export const formatVersion = "aether-member-1";

/** Reads, hashes, and compresses unless the cache knows the input. Synchronous: it is what a worker does. */
export function makeMember(input: MemberInput, options: MemberOptions): Member {
  const { raw, contents, identity } = "bytes" in input ? fromBytes(input.bytes) : readEntries(input.entries);
  const key = keyOf(identity, options.level);
  const known = options.cacheFolder === undefined ? undefined : findMember(options.cacheFolder, key);
  if (known !== undefined) return { ...known, key, contents, reused: true };
  const bytes = compress(raw(), options.level);
  const member = { key, bytes, sha256: sha256(bytes), rawBytes: raw().length, contents, reused: false };
  return { ...member, warning: keep(member, options.cacheFolder) };
}

/** A gzip member that is the same on every platform: no time, no operating system. */
export function compress(raw: Uint8Array, level: number): Uint8Array {
  const bytes = Bun.gzipSync(raw as Uint8Array<ArrayBuffer>, { level: level as 1, library: "libdeflate" });
  bytes.set([0, 0, 0, 0, 0, 255], 4);
  return bytes;
}

export const sha256 = (data: Uint8Array | string): string => Bun.SHA256.hash(data as Uint8Array<ArrayBuffer>, "hex");

const keyOf = (identity: string, level: number): string => sha256(`${formatVersion}\n${level}\n${identity}`);

/** The key of a member made of `bytes`. */
export const keyOfBytes = (bytes: Uint8Array, level: number): string => keyOf(fromBytes(bytes).identity, level);

interface RawMember {
  /** The tar bytes; headers are only written when somebody asks. */
  raw(): Uint8Array;
  contents: string;
  /** Equal exactly when the tar bytes are. */
  identity: string;
}

const fromBytes = (bytes: Uint8Array): RawMember => ({
  raw: () => bytes,
  contents: "",
  identity: `bytes ${bytes.length} ${sha256(bytes)}`,
});

function readEntries(entries: MemberEntry[]): RawMember {
  const headers = entries.map(tarHeader);
  const size = entries.reduce((sum, entry, index) => sum + (headers[index]?.length ?? 0) + paddedBytes(entry.size), 0);
  const buffer = scratchOf(size + 1);
  const contents: string[] = [];
  const identity: string[] = [];
  let at = 0;
  for (const [index, entry] of entries.entries()) {
    const header = headers[index] ?? new Uint8Array();
    buffer.set(header, at);
    at += header.length;
    const end = at + entry.size;
    if (entry.kind === "file") readWhole(entry, buffer, at);
    const content = contentHash(entry, buffer.subarray(at, end));
    contents.push(content);
    identity.push(`${entry.kind} ${entry.executable} ${entry.size} ${content} ${entry.path}\n`);
    at += paddedBytes(entry.size);
    buffer.fill(0, end, at);
  }
  return { raw: () => buffer.subarray(0, size), contents: contents.join(), identity: identity.join("") };
}

function contentHash({ kind, target }: MemberEntry, bytes: Uint8Array): string {
  if (kind === "folder") return "";
  return sha256(kind === "link" ? target : bytes);
}

let scratch = Buffer.alloc(0);

/** One piece of memory for all members of a thread: they come one after the other. */
function scratchOf(size: number): Buffer {
  if (scratch.length < size) scratch = Buffer.allocUnsafeSlow(Math.max(size, 4 * 1024 * 1024));
  return scratch;
}

// Never a link that took the file's place, and never waiting for a pipe that did.
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a file that was listed as one; whoever calls closes it. */
export function openListed({ source, path }: { source: string; path: string }): number {
  try {
    return openSync(source, openFlags);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENOTDIR", "ENXIO"].includes(systemCode(error) ?? "")) throw changed(path, error);
    throw asDiskError(error, "read", source);
  }
}

/** Reads exactly what was listed into `buffer`, which needs room for one byte more: a longer file has changed. */
function readWhole(entry: MemberEntry, buffer: Buffer, at: number): void {
  const descriptor = openListed(entry);
  try {
    // most files come whole with one call, and that call also finds their end
    const first = readSync(descriptor, buffer, at, entry.size + 1, null);
    const rest =
      first === 0 || first >= entry.size
        ? 0
        : readFully(descriptor, buffer.subarray(at + first, at + entry.size + 1), entry);
    if (first + rest !== entry.size) throw changed(entry.path);
  } catch (error) {
    throw asDiskError(error, "read", entry.source);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads until `buffer` is full or the file ends; from `position`, or from where the last read ended. */
export function readFully(
  descriptor: number,
  buffer: Buffer,
  { source, position }: { source: string; position?: number | undefined },
): number {
  try {
    let filled = 0;
    while (filled < buffer.length) {
      const from = position === undefined ? null : position + filled;
      const count = readSync(descriptor, buffer, filled, buffer.length - filled, from);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  } catch (error) {
    throw asDiskError(error, "read", source);
  }
}

/** The error for a tree that somebody writes to while it is packed. */
export function changed(path: string, cause?: unknown): AetherError {
  return new AetherError("preflight_failed", `"${printable(path)}" changed while it was packed.`, {
    cause,
    hint: "Run the command again when nothing writes to the folder (a build, a watcher, a log), or leave the file out with a line in .aetherignore.",
    details: { path: printable(path) },
  });
}

function keep(member: Member, cacheFolder: string | undefined): string | undefined {
  if (cacheFolder === undefined) return undefined;
  try {
    writeMember(cacheFolder, member.key, member);
    return undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return messageOf(asDiskError(error, "write to", cacheFolder));
  }
}
