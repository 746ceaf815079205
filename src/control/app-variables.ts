import { and, asc, eq, inArray } from "drizzle-orm";
import { assertVariable, assertVariablesFit } from "../core/variable-rules.ts";
import type { Queryable, Tx } from "../db/client.ts";
import { appVariables } from "../db/schema.ts";
import type { Sealer } from "../lib/sealer.ts";
import { type App, getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { openSealed, type Variables } from "./release-variables.ts";

/** A variable as a person sees it; the value only for who asked for it and may. */
export interface ListedVariable {
  name: string;
  value: string | null;
  updatedAt: Date;
  updatedBy: string;
}

/** An app's variables by name, without their values. */
export async function listVariables({ db }: Control, name: string): Promise<ListedVariable[]> {
  const rows = await selectVariables(db, (await getApp(db, name)).id);
  return rows.map(({ sealed: _, ...row }) => ({ ...row, value: null }));
}

/** The same with the values; the audit says who saw them, before they are given. */
export async function revealVariables(control: Control, name: string, actor: Actor): Promise<ListedVariable[]> {
  const { db, secrets, now } = control;
  const { id } = await getApp(db, name);
  return db.transaction(async (tx) => {
    const rows = await selectVariables(tx, id);
    const detail = { names: rows.map((row) => row.name) };
    const change = { before: "created", after: "env_revealed", at: now(), detail };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change });
    return rows.map(({ sealed, ...row }) => ({ ...row, value: openSealed(secrets, sealed, contextOf(id, row.name)) }));
  });
}

/** An app's variables as its next release gets them. */
export async function readVariables(
  { db, secrets }: { db: Queryable; secrets: Sealer },
  appId: string,
): Promise<Variables> {
  const rows = await selectVariables(db, appId);
  return Object.fromEntries(
    rows.map(({ name, sealed }) => [name, openSealed(secrets, sealed, contextOf(appId, name))]),
  );
}

/**
 * Makes the app's variables these, under the app's lock. What stays the same keeps who set it; the audit tells the names
 * of what does not.
 */
export async function writeVariables(
  { secrets, now }: Control,
  tx: Tx,
  { app, before, after, actor }: { app: App; before: Variables; after: Variables; actor: Actor },
): Promise<void> {
  const set = Object.entries(after).filter(([name, value]) => before[name] !== value);
  const unset = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  if (set.length === 0 && unset.length === 0) return;
  for (const [name, value] of set) assertVariable(name, value);
  assertVariablesFit(after);
  const changed = [...set.map(([name]) => name), ...unset];
  const at = now();
  await tx.delete(appVariables).where(and(eq(appVariables.appId, app.id), inArray(appVariables.name, changed)));
  const rows = set.map(([name, value]) => ({
    appId: app.id,
    name,
    valueSealed: secrets.seal(value, contextOf(app.id, name)),
    updatedAt: at,
    updatedBy: actor.name,
  }));
  if (rows.length > 0) await tx.insert(appVariables).values(rows);
  const detail = { set: set.map(([name]) => name).sort(), unset: unset.sort() };
  const change = { before: "created", after: "env_changed", at, detail };
  await recordTransition(tx, actor, { subject: "app", id: app.id, appId: app.id, ...change });
}

function selectVariables(db: Queryable, appId: string) {
  return db
    .select({
      name: appVariables.name,
      sealed: appVariables.valueSealed,
      updatedAt: appVariables.updatedAt,
      updatedBy: appVariables.updatedBy,
    })
    .from(appVariables)
    .where(eq(appVariables.appId, appId))
    .orderBy(asc(appVariables.name));
}

/** What a variable's value is sealed for. */
const contextOf = (appId: string, name: string): string => `variable ${appId} ${name}`;
