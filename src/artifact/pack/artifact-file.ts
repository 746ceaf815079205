import { mkdirSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifactFileName } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { syncFolder } from "../../lib/durable-write.ts";
import { asDiskError, asFolderError } from "../../lib/errors.ts";
import { removeAbandonedFiles, temporaryPath } from "./temporary-files.ts";

/** An artifact while it is written. */
export interface ArtifactFile {
  /** Bytes appended so far. */
  readonly sizeBytes: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Puts the file under its name, whole and on the disk. */
  finish(): Promise<{ path: string; digest: Digest }>;
  /** Leaves nothing behind; does nothing after `finish`. */
  discard(): Promise<void>;
}

/** Starts an artifact in `folder`, and removes what killed runs left there. */
export async function createArtifactFile(folder: string, now: Date): Promise<ArtifactFile> {
  const temporary = temporaryPath(folder);
  const guard = <T>(work: () => T): Promise<Awaited<T>> => guarded(folder, work);
  makeFolder(folder);
  const handle = await guard(() => {
    removeAbandonedFiles(folder, now);
    return open(temporary, "wx", 0o644);
  });
  const hash = new Bun.CryptoHasher("sha256");
  let writing: Promise<void> = Promise.resolve();
  let syncing: Promise<void> = Promise.resolve();
  let unsynced = 0;
  let sizeBytes = 0;
  let isOpen = true;

  /** The thread pool writes one piece while the next one is hashed. */
  async function append(bytes: Uint8Array): Promise<void> {
    await writing;
    writing = guard(() => writeAll(bytes));
    writing.catch(() => {}); // seen by the next call, and by `finish`
    sizeBytes += bytes.length;
    hash.update(bytes);
  }

  async function writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
    unsynced += bytes.length;
    if (unsynced < syncEveryBytes) return;
    unsynced = 0;
    await syncing;
    syncing = guard(() => handle.datasync());
    syncing.catch(() => {}); // seen by the next call, and by `finish`
  }

  async function finish(): Promise<{ path: string; digest: Digest }> {
    const digest = hash.digest("hex");
    const path = join(folder, artifactFileName(digest));
    await writing;
    await syncing;
    await guard(async () => {
      await handle.sync();
      await close();
      await rename(temporary, path);
      await syncFolder(folder);
    });
    return { path, digest };
  }

  async function close(): Promise<void> {
    if (isOpen) await handle.close();
    isOpen = false;
  }

  async function discard(): Promise<void> {
    await Promise.allSettled([writing, syncing]); // whoever appended knows already
    await close();
    await rm(temporary, { force: true });
  }

  return {
    append,
    finish,
    discard,
    get sizeBytes() {
      return sizeBytes;
    },
  };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw asFolderError(error, "write the artifact to", folder);
  }
}

/** The disk starts early, so that little is left to wait for at the end. */
const syncEveryBytes = 8 * 1024 * 1024;

async function guarded<T>(folder: string, work: () => T): Promise<Awaited<T>> {
  try {
    return await work();
  } catch (error) {
    throw asDiskError(error, "write the artifact to", folder);
  }
}
