import { mkdirSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifactFileName } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { syncFolder } from "../../lib/durable-write.ts";
import { asDiskError, asFolderError } from "../../lib/errors.ts";
import { startArtifactThread } from "./artifact-thread.ts";
import { removeAbandonedFiles, temporaryPath } from "./temporary-files.ts";

/** An artifact while it is written. */
export interface ArtifactFile {
  /** Bytes appended so far. */
  readonly sizeBytes: number;
  /** Takes `bytes` over: whoever gave them reads them no more. */
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
  const thread = startArtifactThread();
  const writing: Promise<void>[] = [];
  let syncing: Promise<void> = Promise.resolve();
  let unwritten = 0;
  let unsynced = 0;
  let sizeBytes = 0;
  let isOpen = true;

  async function append(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    sizeBytes += length;
    unwritten += length;
    const last = guard(() => thread.append(handle.fd, bytes)).then(() => written(length));
    last.catch(() => {}); // seen by a later call, and by `finish`
    writing.push(last);
    while (unwritten > aheadBytes && writing.length > 0) await writing.shift();
  }

  async function written(length: number): Promise<void> {
    unwritten -= length;
    unsynced += length;
    if (unsynced < syncEveryBytes) return;
    unsynced = 0;
    await syncing;
    syncing = guard(() => handle.datasync());
    syncing.catch(() => {}); // seen by the next call, and by `finish`
  }

  async function finish(): Promise<{ path: string; digest: Digest }> {
    for (const last of writing) await last;
    await syncing;
    const digest = await thread.digest();
    const path = join(folder, artifactFileName(digest));
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
    await Promise.allSettled([...writing, syncing]); // whoever appended knows already
    thread.close();
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

/** So much may wait for the thread that writes: enough that it never waits for this one, which is busy listing the tree. */
const aheadBytes = 16 * 1024 * 1024;

/** The disk starts early, so that little is left to wait for at the end. */
const syncEveryBytes = 8 * 1024 * 1024;

async function guarded<T>(folder: string, work: () => T): Promise<Awaited<T>> {
  try {
    return await work();
  } catch (error) {
    throw asDiskError(error, "write the artifact to", folder);
  }
}
