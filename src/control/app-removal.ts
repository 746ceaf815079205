import { and, asc, eq, gt, isNotNull, sql } from "drizzle-orm";
import { apps, artifacts, deployments, publicKeys } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { lockAppNamed } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import { untilFree } from "./byte-removal.ts";
import { type Actor, type Control, system } from "./control.ts";
import {
  claimRemoval,
  type HeldRemoval,
  holdRemoval,
  isHeldRemoval,
  RemovalLost,
  removalClaim,
} from "./removal-lease.ts";
import type { Rollouts } from "./rollouts.ts";
import { startTurn } from "./turn.ts";

type Removing = Pick<Rollouts, "remove">;

/** Removes an app with all it has: what runs, bytes, rows. The audit stays, and the name can be used again. */
export async function removeApp(control: Control, rollouts: Removing, name: string, actor: Actor): Promise<void> {
  const { app, isOurs } = await beginRemoval(control, name, actor);
  if (isOurs && (await finishRemoval(control, rollouts, { app, actor }))) return;
  await untilFree(control, async () => {
    const claimed = await claimRemoval(control, app.id);
    if (claimed && (await finishRemoval(control, rollouts, { app: claimed, actor }))) return true;
    const left = await control.db.select({ id: apps.id }).from(apps).where(eq(apps.id, app.id));
    return left.length === 0 || undefined;
  });
}

/** Finishes what a server began that was killed, or that could not reach its storage; returns how many apps went. */
export async function finishRemovals(control: Control, rollouts: Removing, signal?: AbortSignal): Promise<number> {
  const begun = await control.db.select().from(apps).where(isNotNull(apps.deletingAt)).orderBy(asc(apps.deletingAt));
  const turn = startTurn(control, signal);
  const nameOf = ({ name }: App) => ({ app: name });
  const removed = await turn.each(begun, nameOf, async ({ id }) => {
    const app = await claimRemoval(control, id);
    return app !== undefined && (await finishRemoval(control, rollouts, { app, actor: system }));
  });
  turn.end();
  return removed;
}

/** From its commit on, the app takes no upload, no deployment and no key, and nothing of it is applied. */
async function beginRemoval({ db, now }: Control, name: string, actor: Actor): Promise<{ app: App; isOurs: boolean }> {
  return db.transaction(async (tx) => {
    const app = await lockAppNamed(tx, name);
    const { id } = app;
    if (app.deletingAt !== null) return { app, isOurs: false };
    const [begun = app] = await tx.update(apps).set({ deletingAt: removalClaim }).where(eq(apps.id, id)).returning();
    const change = { before: "created", after: "deleting", at: now(), detail: { name } };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change });
    return { app: begun, isOurs: true };
  });
}

/**
 * Rows last: while they are there, whoever is killed leaves work that another finds. Each step may be done twice, but only
 * by the server that holds the removal: once the name is free, a new app's bytes may lie there. False when another took over.
 */
async function finishRemoval(
  control: Control,
  rollouts: Removing,
  { app, actor }: { app: App; actor: Actor },
): Promise<boolean> {
  const held = holdRemoval(control, app);
  try {
    await rollouts.remove(app.name);
    crashPoint("app-stopped");
    await held.renew();
    await untilUnclaimed(control, app);
    await held.renew();
    await removeBytes(control, held);
    return await removeRows(control, held.app(), actor);
  } catch (error) {
    if (error instanceof RemovalLost) return false;
    await held.release();
    throw error;
  }
}

/** What verifies an upload of the app, or takes its bytes away, began before the removal did and has its say to the end. */
function untilUnclaimed(control: Control, { id }: App): Promise<boolean> {
  const isClaimed = and(eq(artifacts.appId, id), gt(artifacts.claimedUntil, sql`clock_timestamp()`));
  return untilFree(control, async () => {
    const claimed = await control.db.select({ id: artifacts.id }).from(artifacts).where(isClaimed).limit(1);
    return claimed.length === 0 || undefined;
  });
}

async function removeBytes({ db, storage, now }: Control, held: HeldRemoval): Promise<void> {
  const { id, name } = held.app();
  const prefix = `artifacts/${name}/`;
  // First: a row whose bytes are gone must never be stored.
  const rows = await db
    .update(artifacts)
    .set({ status: "expired", expiresAt: now() })
    .where(eq(artifacts.appId, id))
    .returning();
  for (const { key, uploadId } of await Array.fromAsync(storage.listMultiparts(prefix))) {
    await held.renew();
    await storage.abortMultipart(key, uploadId);
  }
  const listed = await Array.fromAsync(storage.list(prefix, { withMarks: true }));
  const keys = [...rows.map(({ storageKey }) => storageKey), ...listed.map(({ key }) => key)];
  for (const key of new Set(keys)) {
    await held.renew();
    await storage.remove(key); // which also ends the URLs of pending ones
  }
}

async function removeRows({ db, now }: Control, held: App, actor: Actor): Promise<boolean> {
  const { id, name } = held;
  return db.transaction(async (tx) => {
    const [app] = await tx.select().from(apps).where(isHeldRemoval(held)).for("update");
    if (!app) return false; // another server took over
    await tx.delete(deployments).where(eq(deployments.appId, id));
    await tx.delete(artifacts).where(eq(artifacts.appId, id));
    await tx.delete(publicKeys).where(eq(publicKeys.appId, id));
    const change = { before: "deleting", after: "deleted", at: now(), detail: { name } };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change }); // while the row still has the name
    await tx.delete(apps).where(eq(apps.id, id));
    return true;
  });
}
