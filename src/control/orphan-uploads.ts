import { and, eq } from "drizzle-orm";
import { artifacts } from "../db/schema.ts";
import type { Control } from "./control.ts";
import { startTurn } from "./turn.ts";

/**
 * Aborts multipart uploads that no row names once they are older than a pending upload may become; returns how many. A
 * server that was killed between starting one and writing down its id leaves such.
 */
export async function abortOrphanUploads(control: Control, signal?: AbortSignal): Promise<number> {
  const { db, storage, settings, now } = control;
  const before = now().getTime() - settings.pendingTtlSecs * 1000;
  // All of them first: aborting one in between may take away the place where a store goes on listing.
  const started = await Array.fromAsync(storage.listMultiparts("artifacts/"));
  const old = started.filter(({ startedAt }) => startedAt.getTime() <= before);
  const turn = startTurn(control, signal);
  const nameOf = ({ key }: { key: string }) => ({ key });
  const aborted = await turn.each(old, nameOf, async ({ key, uploadId }) => {
    const [named] = await db
      .select({ id: artifacts.id })
      .from(artifacts)
      .where(and(eq(artifacts.storageKey, key), eq(artifacts.uploadId, uploadId)));
    if (named !== undefined) return false;
    await storage.abortMultipart(key, uploadId);
    return true;
  });
  turn.end();
  return aborted;
}
