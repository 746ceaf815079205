import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { idempotencyKeys } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { batchSize, inBatches } from "./batches.ts";
import type { Control } from "./control.ts";

/** A request that may be repeated under its key. */
export interface KeyedRequest {
  /** Who sends it: nobody is given another's answer. */
  scope: string;
  key: string;
  route: string;
  /** Hex SHA-256. */
  bodyHash: string;
}

export interface KeptAnswer {
  status: number;
  body: string;
}

/** The right to carry out a request; `claimedAt` tells it from one that took it over. */
export interface KeyClaim extends KeyedRequest {
  claimedAt: Date;
}

export type KeyState = { claim: KeyClaim } | { answer: KeptAnswer } | "under way";

const claimSeconds = 30;
const keptSeconds = 24 * 3600;

/**
 * Whether a request is to be carried out, was, or is under way. A claim ends unless it is renewed, so that a request whose
 * server died can be repeated. Another route or body under the same key is `idempotency_conflict`.
 */
export async function claimKey({ db, secrets }: Control, request: KeyedRequest): Promise<KeyState> {
  for (;;) {
    const claimedAt = await insertOrTakeOver(db, request);
    if (claimedAt !== undefined) return { claim: { ...request, claimedAt } };
    const [known] = await db
      .select()
      .from(idempotencyKeys)
      .where(and(eq(idempotencyKeys.scope, request.scope), eq(idempotencyKeys.key, request.key)));
    if (known === undefined) continue; // given up between the two queries
    if (known.route !== request.route || known.bodyHash !== request.bodyHash) throw reused();
    if (known.status === null) return "under way";
    return { answer: { status: known.status, body: secrets.open(String(known.response), contextOf(request)) } };
  }
}

/** Keeps the claim while its request is carried out. */
export async function renewClaim({ db }: Control, claim: KeyClaim): Promise<void> {
  await db
    .update(idempotencyKeys)
    .set({ claimedUntil: inSeconds(claimSeconds) })
    .where(isHeld(claim));
}

/** Keeps the answer for those who ask again. It is sealed: answers hold signed URLs and new tokens. */
export async function keepAnswer(
  { db, secrets }: Control,
  claim: KeyClaim,
  { status, body }: KeptAnswer,
): Promise<void> {
  await db
    .update(idempotencyKeys)
    .set({ status, response: secrets.seal(body, contextOf(claim)) })
    .where(isHeld(claim));
}

/** Lets the same request be carried out anew. */
export async function giveUpClaim({ db }: Control, claim: KeyClaim): Promise<void> {
  await db.delete(idempotencyKeys).where(isHeld(claim));
}

/** Forgets keys whose time is over; returns how many. */
export function purgeKeys({ db }: Control, signal?: AbortSignal): Promise<number> {
  const some = sql`(
    select ctid from ${idempotencyKeys} where ${lt(idempotencyKeys.expiresAt, sql`now()`)}
    limit ${batchSize} for update skip locked
  )`;
  return inBatches(async () => {
    // As an array: a plain "in" may be run as a join that evaluates the limited search again.
    const purged = await db.delete(idempotencyKeys).where(sql`ctid = any(array${some})`).returning({ at: sql`1` });
    return purged.length;
  }, signal);
}

async function insertOrTakeOver(db: Db, { scope, key, route, bodyHash }: KeyedRequest): Promise<Date | undefined> {
  const fresh = {
    route,
    bodyHash,
    status: null,
    response: null,
    claimedUntil: inSeconds(claimSeconds),
    createdAt: sql`now()`,
    expiresAt: inSeconds(keptSeconds),
  };
  const { route: ofRoute, bodyHash: ofBody, status, claimedUntil, expiresAt } = idempotencyKeys;
  const isDead = sql`${status} is null and ${claimedUntil} < now() and ${ofRoute} = ${route} and ${ofBody} = ${bodyHash}`;
  const [claimed] = await db
    .insert(idempotencyKeys)
    .values({ scope, key, ...fresh })
    .onConflictDoUpdate({
      target: [idempotencyKeys.scope, idempotencyKeys.key],
      set: fresh,
      setWhere: sql`${expiresAt} < now() or (${isDead})`,
    })
    .returning({ at: idempotencyKeys.createdAt });
  return claimed?.at;
}

const inSeconds = (seconds: number) => sql`now() + make_interval(secs => ${seconds})`;

const isHeld = ({ scope, key, claimedAt }: KeyClaim) =>
  and(
    eq(idempotencyKeys.scope, scope),
    eq(idempotencyKeys.key, key),
    eq(idempotencyKeys.createdAt, claimedAt),
    isNull(idempotencyKeys.status),
  );

const contextOf = ({ scope, key }: KeyedRequest): string => `answer ${JSON.stringify([scope, key])}`;

function reused(): AetherError {
  return new AetherError("idempotency_conflict", "This idempotency key was used for another request.", {
    hint: "Use a new key for each new request.",
  });
}
