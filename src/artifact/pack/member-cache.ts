import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import { removeAbandonedFiles, temporaryPath } from "./temporary-files.ts";
import { writeFully } from "./write-fully.ts";

/** A compressed member as the cache keeps it. */
export interface CachedMember {
  bytes: Uint8Array;
  /** Of `bytes`. */
  sha256: string;
  rawBytes: number;
}

// An entry is its check sum over all behind it, the SHA-256 and the input's length of the member, and the member.
const sumBytes = 8;
const headerBytes = sumBytes + 32 + 8;

/** Where the member with `key` lies in a cache folder. */
export const memberFile = (folder: string, key: string): string => join(folder, `${key}.gz`);

/** The member in an entry's bytes, or undefined when they are not what was written: then it is made again. */
export function decodeMember(entry: Uint8Array): CachedMember | undefined {
  if (entry.length <= headerBytes) return undefined;
  const view = new DataView(entry.buffer, entry.byteOffset, headerBytes);
  const bytes = entry.subarray(headerBytes);
  if (view.getBigUint64(0) !== sumOf(entry.subarray(sumBytes, headerBytes), bytes)) return undefined;
  return {
    bytes,
    sha256: Buffer.from(entry.subarray(sumBytes, sumBytes + 32)).toString("hex"),
    rawBytes: Number(view.getBigUint64(sumBytes + 32)),
  };
}

/** The member with `key`, for a thread that has nothing else to do meanwhile. */
export function findMember(folder: string, key: string): CachedMember | undefined {
  try {
    return decodeMember(readFileSync(memberFile(folder, key)));
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** The member with `key`, read in the thread pool. */
export async function readMember(folder: string, key: string): Promise<CachedMember | undefined> {
  try {
    return decodeMember(await readFile(memberFile(folder, key)));
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

/** Whole or not at all, also after `kill -9`; after a power cut the check sum tells, so that nothing waits for the disk. */
export function writeMember(folder: string, key: string, { bytes, sha256, rawBytes }: CachedMember): void {
  const header = Buffer.alloc(headerBytes);
  header.write(sha256, sumBytes, "hex");
  header.writeBigUInt64BE(BigInt(rawBytes), sumBytes + 32);
  header.writeBigUInt64BE(sumOf(header.subarray(sumBytes), bytes), 0);
  writeWhole(folder, memberFile(folder, key), [header, bytes]);
}

/** The sum of both as they lie behind one another, without a copy that holds both. */
const sumOf = (header: Uint8Array, bytes: Uint8Array): bigint => Bun.hash.xxHash3(bytes, Bun.hash.xxHash3(header));

/** Writes a file of the cache beside its place and renames it there. */
export function writeWhole(folder: string, path: string, parts: Uint8Array[]): void {
  const temporary = temporaryPath(folder);
  try {
    const descriptor = openSync(temporary, "wx");
    try {
      for (const part of parts) writeFully(descriptor, part);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Makes the folder and removes what killed runs left in it. */
export function openCacheFolder(folder: string, now: Date): void {
  mkdirSync(folder, { recursive: true });
  removeAbandonedFiles(folder, now);
}

/** Marks entries as used now, and deletes those used longest ago until `maxBytes` hold the rest. */
export function evictMembers(
  folder: string,
  { used, maxBytes, now }: { used: Iterable<string>; maxBytes: number; now: Date },
): void {
  for (const key of used) touch(memberFile(folder, key), now);
  const entries = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined || name.startsWith(".") ? [] : [{ path, size: stats.size, usedMs: stats.mtimeMs }];
  });
  let total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total <= maxBytes) return;
  for (const { path, size } of entries.sort((a, b) => a.usedMs - b.usedMs)) {
    if (total <= maxBytes) return;
    rmSync(path, { force: true });
    total -= size;
  }
}

function touch(path: string, now: Date): void {
  try {
    utimesSync(path, now, now);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error; // another process evicted it
  }
}

const isUnreadable = (error: unknown): boolean => systemCode(error) !== undefined;
