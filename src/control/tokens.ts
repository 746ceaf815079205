import { randomUUID } from "node:crypto";
import { and, desc, eq } from "drizzle-orm";
import { hashToken } from "../config/tokens.ts";
import { createAccessToken } from "../core/access-token.ts";
import { parseAppName } from "../core/app-name.ts";
import type { Role } from "../core/roles.ts";
import type { Queryable, Tx } from "../db/client.ts";
import { auditEvents, tokens } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { isUuid } from "../lib/uuid.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import type { Page } from "./page.ts";

/** A token as the database has it: its hash, never itself. */
export type Token = typeof tokens.$inferSelect;

export interface NewToken {
  name: string;
  role: Role;
  /** The apps that it is for, which need not exist yet; undefined is all. */
  apps?: readonly string[] | undefined;
  expiresAt?: Date | undefined;
}

/** A token just made. `secret` is shown this once and kept nowhere. */
export interface MadeToken {
  token: Token;
  secret: string;
}

/** Makes a token. */
export async function createToken(control: Control, wanted: NewToken, actor: Actor): Promise<MadeToken> {
  assertFuture(control, wanted.expiresAt);
  const apps = wanted.apps === undefined ? null : parseApps(wanted);
  const expiresAt = wanted.expiresAt ?? null;
  return control.db.transaction((tx) => insert(control, tx, { ...wanted, apps, expiresAt, actor }));
}

/** Tokens, newest first; those that no longer work as well. */
export async function listTokens({ db }: Control, { limit, offset }: Page): Promise<Token[]> {
  return db.select().from(tokens).orderBy(desc(tokens.createdAt), desc(tokens.id)).limit(limit).offset(offset);
}

/** Ends a token; one that has ended stays as it is. */
export async function revokeToken({ db, now }: Control, id: string, actor: Actor): Promise<Token> {
  return db.transaction(async (tx) => {
    const token = await lockToken(tx, id);
    if (token.revokedAt !== null) return token;
    return change(tx, token, { set: { revokedAt: now() }, after: "revoked", actor, at: now() });
  });
}

export interface Rotation {
  /** How long the old token goes on working. */
  overlapSecs: number;
  /** Of the successor; as long a life as the old one had when it is not given. */
  expiresAt?: Date | undefined;
}

/** Makes a token's successor, of the same name, role and apps, and lets the old one end after the overlap. */
export async function rotateToken(
  control: Control,
  id: string,
  { overlapSecs, expiresAt, actor }: Rotation & { actor: Actor },
): Promise<MadeToken & { previous: Token }> {
  assertFuture(control, expiresAt);
  return control.db.transaction(async (tx) => {
    const old = await lockToken(tx, id);
    const at = control.now();
    await assertRotatable(tx, old, at);
    const made = await insert(control, tx, { ...old, expiresAt: expiresAt ?? sameLife(old, at), actor });
    const end = new Date(at.getTime() + overlapSecs * 1000);
    const set = { expiresAt: old.expiresAt !== null && old.expiresAt < end ? old.expiresAt : end };
    return { ...made, previous: await change(tx, old, { set, after: "rotated", actor, at }) };
  });
}

/** The token with that hash, whether it still works or not. */
export async function findToken(db: Queryable, hash: string): Promise<Token | undefined> {
  const [token] = await db.select().from(tokens).where(eq(tokens.hash, hash));
  return token;
}

/** Why a token does not work at a time, as a sentence. */
export function tokenProblem({ revokedAt, expiresAt }: Token, at: Date): string | undefined {
  if (revokedAt !== null) return "the token was revoked.";
  if (expiresAt !== null && expiresAt <= at) return `the token expired at ${expiresAt.toISOString()}.`;
  return undefined;
}

async function insert(
  { now }: Control,
  tx: Tx,
  { name, role, apps, expiresAt, actor }: Pick<Token, "name" | "role" | "apps" | "expiresAt"> & { actor: Actor },
): Promise<MadeToken> {
  const secret = createAccessToken();
  const at = now();
  const values = { name, role, apps, expiresAt, hash: hashToken(secret), createdAt: at, createdBy: actor.name };
  const [token] = await tx
    .insert(tokens)
    .values({ id: randomUUID(), ...values })
    .returning();
  if (!token) throw new Error("the insert of a token returned no row");
  await record(tx, token, { before: null, after: "created", actor, at });
  return { token, secret };
}

async function change(
  tx: Tx,
  { id }: Token,
  { set, ...what }: { set: Partial<Token>; after: string; actor: Actor; at: Date },
): Promise<Token> {
  const [token] = await tx.update(tokens).set(set).where(eq(tokens.id, id)).returning();
  if (!token) throw new Error("a locked token was not there");
  await record(tx, token, { before: "active", ...what });
  return token;
}

function record(
  tx: Tx,
  { id, name, role, apps, expiresAt }: Token,
  { actor, ...transition }: { before: string | null; after: string; actor: Actor; at: Date },
): Promise<void> {
  const detail = { name, role, apps, expires_at: expiresAt?.toISOString() ?? null };
  return recordTransition(tx, actor, { subject: "token", id, appId: null, ...transition, detail });
}

async function lockToken(tx: Tx, id: string): Promise<Token> {
  const [token] = isUuid(id) ? await tx.select().from(tokens).where(eq(tokens.id, id)).for("update") : [];
  if (token) return token;
  throw new AetherError("not_found", `There is no token "${id}".`, { hint: "See aether tokens list." });
}

function parseApps({ role, apps = [] }: NewToken): string[] {
  const hint = "Leave apps out for a token that is for all of them.";
  if (role === "admin") throw new AetherError("bad_request", "An admin's token is for all apps.", { hint });
  if (apps.length === 0) throw new AetherError("bad_request", "A token for no app would open nothing.", { hint });
  return [...new Set(apps.map(parseAppName))];
}

// A token that was rotated has an end that was not its own, which no successor may inherit.
async function assertRotatable(tx: Tx, token: Token, at: Date): Promise<void> {
  const problem = tokenProblem(token, at);
  if (problem !== undefined) {
    throw new AetherError("conflict", `It cannot be rotated: ${problem}`, { hint: "Create a new token." });
  }
  const [earlier] = await tx
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.subjectType, "token"),
        eq(auditEvents.subjectId, token.id),
        eq(auditEvents.action, "token.rotated"),
      ),
    )
    .limit(1);
  if (earlier === undefined) return;
  throw new AetherError("conflict", "The token has a successor already.", {
    hint: "Rotate that one: it is listed by the same name.",
  });
}

function assertFuture({ now }: Control, expiresAt: Date | undefined): void {
  if (expiresAt === undefined || expiresAt > now()) return;
  throw new AetherError("bad_request", `The token would have expired at ${expiresAt.toISOString()}, which is past.`);
}

const sameLife = ({ createdAt, expiresAt }: Token, from: Date): Date | null =>
  expiresAt && new Date(from.getTime() + expiresAt.getTime() - createdAt.getTime());
