import { and, eq, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { getApp } from "./apps.ts";
import type { Actor, Control } from "./control.ts";
import { type Artifact, recordArtifact } from "./uploads.ts";

/** Gives up a pending upload: its row expires, its bytes go, its URLs stop. */
export async function abandonUpload(control: Control, app: string, digest: Digest, actor: Actor): Promise<void> {
  const { id } = await getApp(control.db, app);
  await control.db.transaction(async (tx) => {
    const [artifact] = await tx
      .select()
      .from(artifacts)
      .where(and(eq(artifacts.appId, id), eq(artifacts.digest, digest)))
      .for("update");
    if (artifact?.status !== "pending")
      throw new AetherError("not_found", "There is no pending upload of this digest.");
    await expireUpload(control, tx, artifact, actor);
  });
}

/** Removes pending uploads whose time is over, in the database and in storage; returns how many. */
export async function expirePendingUploads(control: Control, actor: Actor): Promise<number> {
  const { db, now } = control;
  const isOverdue = and(eq(artifacts.status, "pending"), sql`${artifacts.expiresAt} < ${now().toISOString()}`);
  const overdue = await db.select({ id: artifacts.id }).from(artifacts).where(isOverdue).limit(500);
  let expired = 0;
  for (const { id } of overdue) {
    await db.transaction(async (tx) => {
      const [artifact] = await tx
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.id, id), isOverdue))
        .for("update", { skipLocked: true }); // another server is at it
      if (!artifact) return;
      await expireUpload(control, tx, artifact, actor);
      expired += 1;
    });
  }
  return expired;
}

/**
 * Storage first: a crash before the commit leaves a row that is expired again, never bytes that nobody knows of. The
 * caller holds the row's lock.
 */
export async function expireUpload(control: Control, tx: Tx, artifact: Artifact, actor: Actor): Promise<void> {
  await endStoredUpload(control, artifact);
  await tx
    .update(artifacts)
    .set({ status: "expired", uploadId: null, expiresAt: null, claimedUntil: null })
    .where(eq(artifacts.id, artifact.id));
  await recordArtifact(control, tx, {
    actor,
    artifact: { ...artifact, status: "expired" },
    before: artifact.status,
    at: control.now(),
  });
}

/** Takes away what storage holds of an artifact; while URLs may still store it, they are kept from doing so. */
export async function endStoredUpload({ storage, settings, now }: Control, artifact: Artifact): Promise<void> {
  const { storageKey: key, uploadId, presignedAt } = artifact;
  if (uploadId !== null) await storage.abortMultipart(key, uploadId);
  // One whose id was never written down: the server was killed in between.
  const orphans = await Array.fromAsync(storage.listMultiparts(key));
  for (const orphan of orphans) await storage.abortMultipart(key, orphan.uploadId);
  const urlsEnd = (presignedAt?.getTime() ?? 0) + settings.presignExpireSeconds * 1000;
  await (urlsEnd > now().getTime() ? storage.abandon(key) : storage.remove(key));
}
