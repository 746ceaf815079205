import { setTimeout as sleep } from "node:timers/promises";
import { and, eq, isNotNull, type SQL } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { endLease, hasLapsed, isHeld, leaseEnd, renewLease, storeCallMs } from "./artifact-lease.ts";
import { recordArtifact } from "./artifact-record.ts";
import type { Actor, Control } from "./control.ts";
import type { Artifact } from "./uploads.ts";

/**
 * Bytes go in three steps, so that no transaction waits for the store: the row becomes `expired`, with `expires_at` to
 * mark that bytes are left and `claimed_until` to say whose they are; the store is asked; the marks are taken off. Who is
 * killed in between leaves a row that is taken over when its claim has lapsed, and no upload begins before that.
 */
export async function giveUp(
  control: Control,
  tx: Tx,
  { artifact, actor }: { artifact: Artifact; actor: Actor },
): Promise<Artifact> {
  const at = control.now();
  const [given = artifact] = await tx
    .update(artifacts)
    .set({ status: "expired", expiresAt: at, claimedUntil: leaseEnd(storeCallMs) })
    .where(eq(artifacts.id, artifact.id))
    .returning();
  await recordArtifact(control, tx, { actor, artifact: given, before: artifact.status, at });
  return given;
}

/** An expired row of which bytes are left in storage. */
export const hasBytesLeft = and(eq(artifacts.status, "expired"), isNotNull(artifacts.expiresAt));

/** Takes the expired row that `which` names, for the removal of its bytes; undefined when another server is at it. */
export async function claimExpired({ now }: Control, tx: Tx, which: SQL | undefined): Promise<Artifact | undefined> {
  const [claimed] = await tx
    .update(artifacts)
    .set({ expiresAt: now(), claimedUntil: leaseEnd(storeCallMs) })
    .where(and(which, eq(artifacts.status, "expired"), hasLapsed()))
    .returning();
  return claimed;
}

/** Takes away what is left of a claimed row; false when another server took it over meanwhile. */
export async function removeBytes(control: Control, claimed: Artifact): Promise<boolean> {
  crashPoint("bytes-given-up");
  const { settings, now } = control;
  const urlsEnd = (claimed.presignedAt?.getTime() ?? 0) + settings.presignExpireSeconds * 1000;
  const held = await clearPlace(control, claimed, urlsEnd > now().getTime() ? "abandon" : "remove");
  if (held === undefined) return false;
  crashPoint("bytes-removed");
  await control.db.update(artifacts).set({ expiresAt: null, uploadId: null, claimedUntil: null }).where(isHeld(held));
  return true;
}

/**
 * Empties the artifact's place in storage, and gives the row as it is held then; undefined when another server has it by
 * now. `abandon` keeps URLs that were given out from filling it again, `remove` lets new ones do so. Parts come first: what
 * is joined until then is an object, and goes with it.
 */
export async function clearPlace(
  control: Control,
  claimed: Artifact,
  how: "abandon" | "remove",
): Promise<Artifact | undefined> {
  const { storage } = control;
  const { storageKey: key, uploadId } = claimed;
  let held: Artifact | undefined = claimed;
  try {
    // Not only the one that the row names: the server may have been killed before it wrote down the id.
    const started = (await Array.fromAsync(storage.listMultiparts(key))).map((upload) => upload.uploadId);
    for (const id of new Set(uploadId === null ? started : [uploadId, ...started])) {
      held = await renewLease(control, held, storeCallMs);
      if (held === undefined) return undefined;
      await storage.abortMultipart(key, id);
    }
    held = await renewLease(control, held, storeCallMs);
    if (held !== undefined) await storage[how](key);
    return held;
  } catch (error) {
    if (held !== undefined) await endLease(control, held);
    throw error;
  }
}

/** Repeats `attempt` while it answers undefined, because another server is taking the bytes away; not for ever. */
export async function untilFree<T>({ settings }: Control, attempt: () => Promise<T | undefined>): Promise<T> {
  const patientUntil = performance.now() + settings.verifyLeaseMs;
  for (let pauseMs = 25; ; pauseMs = Math.min(500, pauseMs * 2)) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (performance.now() > patientUntil) throw stillRemoving();
    await sleep(pauseMs);
  }
}

const stillRemoving = (): AetherError =>
  new AetherError("service_unavailable", "What was stored there before is still being removed.", {
    hint: "Try again in two minutes at most, when the storage answers.",
  });
