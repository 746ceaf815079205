import { and, eq } from "drizzle-orm";
import { artifacts } from "../db/schema.ts";
import type { Control } from "./control.ts";

/**
 * Aborts multipart uploads that no row names once they are older than a pending upload may become; returns how many. A
 * server that was killed between starting one and writing down its id leaves such.
 */
export async function abortOrphanUploads({ db, storage, settings, now }: Control): Promise<number> {
  const before = now().getTime() - settings.pendingTtlSecs * 1000;
  // All of them first: aborting one in between may take away the place where a store goes on listing.
  const started = await Array.fromAsync(storage.listMultiparts("artifacts/"));
  let aborted = 0;
  for (const { key, uploadId, startedAt } of started) {
    if (startedAt.getTime() > before) continue;
    const [named] = await db
      .select({ id: artifacts.id })
      .from(artifacts)
      .where(and(eq(artifacts.storageKey, key), eq(artifacts.uploadId, uploadId)));
    if (named !== undefined) continue;
    await storage.abortMultipart(key, uploadId);
    aborted += 1;
  }
  return aborted;
}
