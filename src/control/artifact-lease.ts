import { and, eq, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import type { Control } from "./control.ts";
import type { Artifact } from "./uploads.ts";

/** Longer than any one call to the store takes with all its tries: what is held for so long before it, is held after it. */
export const storeCallMs = 120_000;

/** When a claim that is made now ends. By the database's clock, because the servers' may differ. */
export const leaseEnd = (ms: number): SQL => sql`clock_timestamp() + ${ms} * interval '1 millisecond'`;

/** The row is nobody's, or its server has given no sign of life. */
export const hasLapsed = (): SQL | undefined =>
  or(isNull(artifacts.claimedUntil), lt(artifacts.claimedUntil, sql`clock_timestamp()`));

/** The row is still as its claimant had it: the value of `claimed_until` is the proof. */
export const isHeld = ({ id, status, claimedUntil }: Artifact): SQL | undefined =>
  and(
    eq(artifacts.id, id),
    eq(artifacts.status, status),
    claimedUntil === null ? isNull(artifacts.claimedUntil) : eq(artifacts.claimedUntil, claimedUntil),
  );

/** Locks the row if it is still claimed as `held` says; undefined when another server has it by now. */
export async function lockHeld(tx: Tx, held: Artifact): Promise<Artifact | undefined> {
  const [artifact] = await tx.select().from(artifacts).where(isHeld(held)).for("update");
  return artifact;
}

/** Lets others take the row at once. */
export async function endLease({ db }: Control, held: Artifact): Promise<void> {
  await db.update(artifacts).set({ claimedUntil: null }).where(isHeld(held));
}

/** Holds the row for `ms` from now on; undefined when another server has it by now. */
export async function renewLease({ db }: Control, held: Artifact, ms: number): Promise<Artifact | undefined> {
  const [renewed] = await db
    .update(artifacts)
    .set({ claimedUntil: leaseEnd(ms) })
    .where(isHeld(held))
    .returning();
  return renewed;
}
