import { randomUUID } from "node:crypto";
import { and, asc, count, eq, sql } from "drizzle-orm";
import { parsePublicKey } from "../core/signature.ts";
import type { Queryable, Tx } from "../db/client.ts";
import { publicKeys } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";
import type { Page } from "./page.ts";

export type PublicKey = typeof publicKeys.$inferSelect;

/** A signature is tried with each of them. */
const maxActiveKeys = 50;

/** An app's public keys, oldest first, revoked ones included. */
export async function listKeys({ db }: Control, appName: string, { limit, offset }: Page): Promise<PublicKey[]> {
  const app = await getApp(db, appName);
  return db
    .select()
    .from(publicKeys)
    .where(eq(publicKeys.appId, app.id))
    .orderBy(asc(publicKeys.createdAt), asc(publicKeys.id))
    .limit(limit)
    .offset(offset);
}

/** The public keys whose signatures count for an app now. */
export async function activeKeys(db: Queryable, appId: string): Promise<string[]> {
  return (await activeKeysOf(db, [appId])).get(appId) ?? [];
}

/** The same for many apps, with one query of one parameter; an app without a key is not in it. */
export async function activeKeysOf(db: Queryable, appIds: string[]): Promise<Map<string, string[]>> {
  const rows = await db
    .select({ appId: publicKeys.appId, key: publicKeys.publicKeyHex })
    .from(publicKeys)
    .where(and(sql`${publicKeys.appId} = any(${sql.param(`{${appIds}}`)}::uuid[])`, eq(publicKeys.active, true)))
    .orderBy(asc(publicKeys.publicKeyHex));
  return new Map(
    [...Map.groupBy(rows, ({ appId }) => appId)].map(([appId, own]) => [appId, own.map(({ key }) => key)]),
  );
}

/** Lets a key sign for an app. Again is harmless; a revoked one never comes back, for it may have been stolen. */
export async function addKey(control: Control, appName: string, hex: string, actor: Actor): Promise<PublicKey> {
  const publicKeyHex = parsePublicKey(hex);
  return control.db.transaction(async (tx) => {
    const { id: appId } = assertLive(await lockAppNamed(tx, appName));
    const known = await findKey(tx, appId, publicKeyHex);
    if (known?.active) return known;
    if (known) throw revokedBefore();
    await assertRoom(tx, appId);
    const at = control.now();
    const [key] = await tx
      .insert(publicKeys)
      .values({ id: randomUUID(), appId, publicKeyHex, createdAt: at })
      .returning();
    if (!key) throw new Error("the insert of a public key returned no row");
    await record(tx, actor, key, { before: null, after: "added", at });
    return key;
  });
}

/** Ends what a key vouches for: what it signed is unsigned from now on. Again is harmless. */
export async function revokeKey(control: Control, appName: string, hex: string, actor: Actor): Promise<void> {
  await control.db.transaction(async (tx) => {
    const { id: appId } = await lockAppNamed(tx, appName); // a deployment being decided sees it either active or revoked
    const known = await findKey(tx, appId, hex);
    if (!known) throw new AetherError("not_found", `The app "${appName}" has no such public key.`, { hint: seeKeys });
    if (!known.active) return;
    const at = control.now();
    await tx.update(publicKeys).set({ active: false, revokedAt: at }).where(eq(publicKeys.id, known.id));
    await record(tx, actor, known, { before: "added", after: "revoked", at });
  });
}

async function findKey(tx: Tx, appId: string, hex: string): Promise<PublicKey | undefined> {
  const [key] = await tx
    .select()
    .from(publicKeys)
    .where(and(eq(publicKeys.appId, appId), eq(publicKeys.publicKeyHex, hex)));
  return key;
}

async function assertRoom(tx: Tx, appId: string): Promise<void> {
  const [active] = await tx
    .select({ count: count() })
    .from(publicKeys)
    .where(and(eq(publicKeys.appId, appId), eq(publicKeys.active, true)));
  if ((active?.count ?? 0) < maxActiveKeys) return;
  throw new AetherError("conflict", `The app has ${maxActiveKeys} active public keys, the most there can be.`, {
    hint: "Revoke those that are not used any more: aether keys revoke.",
  });
}

function record(
  tx: Tx,
  actor: Actor,
  { id, appId, publicKeyHex }: PublicKey,
  change: { before: string | null; after: string; at: Date },
): Promise<void> {
  return recordTransition(tx, actor, {
    subject: "key",
    id,
    appId,
    ...change,
    detail: { public_key_hex: publicKeyHex },
  });
}

const seeKeys = "See aether keys list.";

const revokedBefore = (): AetherError =>
  new AetherError("conflict", "This public key was revoked, and is not accepted again.", {
    hint: "Make a new pair: aether keys generate.",
  });
