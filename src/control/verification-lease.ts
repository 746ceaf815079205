import { and, eq, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { type Actor, type Control, system } from "./control.ts";
import { transact } from "./transactions.ts";
import { type Artifact, recordArtifact } from "./uploads.ts";

/** One server verifies an upload at a time: the one that moved `claimed_until`, whose value is its proof. */
export type Claim = { state: "claimed" | "stored"; artifact: Artifact } | { state: "busy" };

/** `pending → verifying`, held for this server; also takes over what a server that died has left. */
export function claimUpload(control: Control, { id }: Pick<Artifact, "id">, actor: Actor): Promise<Claim> {
  return transact(control, (tx) => claimIn(control, tx, { id, actor }), { repeatable: true });
}

async function claimIn(control: Control, tx: Tx, { id, actor }: { id: string; actor: Actor }): Promise<Claim> {
  const [before] = await tx.select().from(artifacts).where(eq(artifacts.id, id)).for("update");
  if (before?.status === "stored") return { state: "stored", artifact: before };
  if (before?.status !== "pending" && before?.status !== "verifying") throw abandoned();
  const [artifact] = await tx
    .update(artifacts)
    .set({ status: "verifying", claimedUntil: leaseEnd(control) })
    .where(and(eq(artifacts.id, id), or(eq(artifacts.status, "pending"), hasLapsed())))
    .returning();
  if (!artifact) return { state: "busy" };
  if (before.status === "pending") {
    await recordArtifact(control, tx, { actor, artifact, before: before.status, at: control.now() });
  }
  return { state: "claimed", artifact };
}

const abandoned = (): AetherError =>
  new AetherError("conflict", "The upload was abandoned while it was being completed.", { hint: "Upload it again." });

/** Renews the claim until `end`, which gives the row as it was last claimed. */
export function holdClaim(control: Control, claimed: Artifact): { end: () => Promise<Artifact> } {
  let held = claimed;
  let renewing = Promise.resolve();
  const timer = setInterval(() => {
    renewing = renewing.then(async () => {
      try {
        const [renewed] = await control.db
          .update(artifacts)
          .set({ claimedUntil: leaseEnd(control) })
          .where(isHeld(held))
          .returning();
        held = renewed ?? held;
      } catch (error) {
        // The next turn tries again; when none succeeds in time, the claim lapses and its proof no longer holds.
        control.log.warn("a verification's claim could not be renewed", { artifact: held.id, error });
      }
    });
  }, control.settings.verifyLeaseMs / 3);
  return {
    async end() {
      clearInterval(timer);
      await renewing;
      return held;
    },
  };
}

/** Locks the row if it is still claimed as `held` says; undefined when another server has it by now. */
export async function lockHeld(tx: Tx, held: Artifact): Promise<Artifact | undefined> {
  const [artifact] = await tx.select().from(artifacts).where(isHeld(held)).for("update");
  return artifact;
}

/** `verifying → pending`; `isBad` deletes the bytes as well, so that a retry can store others. */
export function returnToPending(
  control: Control,
  held: Artifact,
  { actor, isBad }: { actor: Actor; isBad: boolean },
): Promise<void> {
  const work = async (tx: Tx) => {
    if (!(await lockHeld(tx, held))) return; // no longer ours: neither the row nor the bytes
    if (isBad) await control.storage.remove(held.storageKey);
    await release(control, tx, held, actor);
  };
  return transact(control, work, { repeatable: true });
}

/**
 * Returns to `pending` what servers that died were verifying, so that its client can complete it; says how many. `isAlone`
 * is a server that has just opened a database which no other can have open: whoever held a claim there is gone.
 */
export async function releaseLapsedClaims(control: Control, { isAlone = false } = {}): Promise<number> {
  const isLapsed = and(eq(artifacts.status, "verifying"), isAlone ? undefined : hasLapsed());
  const lapsed = await control.db.select({ id: artifacts.id }).from(artifacts).where(isLapsed).limit(500);
  let released = 0;
  for (const { id } of lapsed) {
    await control.db.transaction(async (tx) => {
      const [artifact] = await tx
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.id, id), isLapsed))
        .for("update", { skipLocked: true });
      if (!artifact) return;
      await release(control, tx, artifact, system);
      released += 1;
    });
  }
  return released;
}

async function release(control: Control, tx: Tx, held: Artifact, actor: Actor): Promise<void> {
  const change = { status: "pending", claimedUntil: null } as const;
  const [artifact] = await tx.update(artifacts).set(change).where(eq(artifacts.id, held.id)).returning();
  if (artifact) await recordArtifact(control, tx, { actor, artifact, before: "verifying", at: control.now() });
}

// The database's clock, because the servers' may differ.
const leaseEnd = ({ settings }: Control): SQL =>
  sql`clock_timestamp() + ${settings.verifyLeaseMs} * interval '1 millisecond'`;

const hasLapsed = (): SQL | undefined =>
  or(isNull(artifacts.claimedUntil), lt(artifacts.claimedUntil, sql`clock_timestamp()`));

const isHeld = ({ id, claimedUntil }: Artifact): SQL | undefined =>
  and(
    eq(artifacts.id, id),
    eq(artifacts.status, "verifying"),
    claimedUntil === null ? isNull(artifacts.claimedUntil) : eq(artifacts.claimedUntil, claimedUntil),
  );
