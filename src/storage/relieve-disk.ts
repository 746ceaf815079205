import { isDiskFull } from "../lib/errors.ts";
import type { StorageFiles } from "./filesystem.ts";
import { sweepFolder } from "./sweep-folder.ts";

/** How long an unfinished upload may have been idle before a full disk takes it. */
const idleMs = 600_000;

/**
 * When `error` says that the disk is full: removes the temporary files and the multipart uploads to which nothing was
 * added for ten minutes, so that the next upload finds room. What failed is not tried again here, its client does that.
 */
export async function relieveDisk({ incoming, multipart, now, onError }: StorageFiles, error: unknown): Promise<void> {
  if (!isDiskFull(error)) return;
  try {
    await sweepFolder(incoming, new Date(now().getTime() - idleMs));
    await multipart.sweep(now(), idleMs);
  } catch (trouble) {
    onError(trouble); // the answer is about the full disk
  }
}
