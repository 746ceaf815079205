import { asc, eq, isNotNull } from "drizzle-orm";
import { apps, artifacts, deployments, publicKeys } from "../db/schema.ts";
import { findLockedApp, lockAppNamed } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import { type Actor, type Control, system } from "./control.ts";
import type { Rollouts } from "./rollouts.ts";
import { startTurn } from "./turn.ts";

type Removing = Pick<Rollouts, "remove">;

/** Removes an app with all it has: what runs, bytes, rows. The audit stays, and the name can be used again. */
export async function removeApp(control: Control, rollouts: Removing, name: string, actor: Actor): Promise<void> {
  const app = await beginRemoval(control, name, actor);
  await finishRemoval(control, rollouts, app, actor);
}

/** Finishes what a server began that was killed, or that could not reach its storage; returns how many apps went. */
export async function finishRemovals(control: Control, rollouts: Removing, signal?: AbortSignal): Promise<number> {
  const begun = await control.db.select().from(apps).where(isNotNull(apps.deletingAt)).orderBy(asc(apps.deletingAt));
  const turn = startTurn(control, signal);
  const nameOf = ({ name }: App) => ({ app: name });
  const removed = await turn.each(begun, nameOf, async (app) => {
    await finishRemoval(control, rollouts, app, system);
    return true;
  });
  turn.end();
  return removed;
}

/** From its commit on, the app takes no upload, no deployment and no key, and nothing of it is applied. */
async function beginRemoval({ db, now }: Control, name: string, actor: Actor): Promise<App> {
  return db.transaction(async (tx) => {
    const app = await lockAppNamed(tx, name);
    const { id } = app;
    if (app.deletingAt !== null) return app;
    const at = now();
    await tx.update(apps).set({ deletingAt: at }).where(eq(apps.id, id));
    const change = { before: "created", after: "deleting", at, detail: { name } };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change });
    return { ...app, deletingAt: at };
  });
}

// Rows last: while they are there, whoever is killed leaves work that another finds. Each step may be done twice.
async function finishRemoval(control: Control, rollouts: Removing, app: App, actor: Actor): Promise<void> {
  await rollouts.remove(app.name);
  await removeBytes(control, app);
  await removeRows(control, app, actor);
}

async function removeBytes({ db, storage }: Control, app: App): Promise<void> {
  const prefix = `artifacts/${app.name}/`;
  for (const { key, uploadId } of await Array.fromAsync(storage.listMultiparts(prefix)))
    await storage.abortMultipart(key, uploadId);
  const rows = await db.select().from(artifacts).where(eq(artifacts.appId, app.id));
  for (const { storageKey } of rows) await storage.remove(storageKey); // which also ends the URLs of pending ones
  for (const { key } of await Array.fromAsync(storage.list(prefix))) await storage.remove(key);
}

async function removeRows({ db, now }: Control, { id, name }: App, actor: Actor): Promise<void> {
  await db.transaction(async (tx) => {
    if (!(await findLockedApp(tx, id))) return; // another server was faster
    await tx.delete(deployments).where(eq(deployments.appId, id));
    await tx.delete(artifacts).where(eq(artifacts.appId, id));
    await tx.delete(publicKeys).where(eq(publicKeys.appId, id));
    const change = { before: "deleting", after: "deleted", at: now(), detail: { name } };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change }); // while the row still has the name
    await tx.delete(apps).where(eq(apps.id, id));
  });
}
