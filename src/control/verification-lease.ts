import { and, eq, or } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { hasLapsed, isHeld, leaseEnd, lockHeld, renewLease, storeCallMs } from "./artifact-lease.ts";
import { recordArtifact } from "./artifact-record.ts";
import { type Actor, type Control, system } from "./control.ts";
import { lockLiveApp } from "./live-app.ts";
import { transact } from "./transactions.ts";
import { startTurn } from "./turn.ts";
import type { Artifact } from "./uploads.ts";

/** One server verifies an upload at a time: the one that moved `claimed_until`, whose value is its proof. */
export type Claim = { state: "claimed" | "stored"; artifact: Artifact } | { state: "busy" };

/** `pending → verifying`, held for this server; also takes over what a server that died has left. */
export function claimUpload(control: Control, artifact: Artifact, actor: Actor): Promise<Claim> {
  const { id, appId } = artifact;
  const work = async (tx: Tx) => {
    await lockLiveApp(tx, appId);
    return claimIn(control, tx, { id, actor });
  };
  return transact(control, work, { repeatable: true });
}

async function claimIn(control: Control, tx: Tx, { id, actor }: { id: string; actor: Actor }): Promise<Claim> {
  const [before] = await tx.select().from(artifacts).where(eq(artifacts.id, id)).for("update");
  if (before?.status === "stored") return { state: "stored", artifact: before };
  if (before?.status !== "pending" && before?.status !== "verifying") throw abandoned();
  const [artifact] = await tx
    .update(artifacts)
    .set({ status: "verifying", claimedUntil: leaseEnd(control.settings.verifyLeaseMs) })
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
          .set({ claimedUntil: leaseEnd(control.settings.verifyLeaseMs) })
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

/** `verifying → pending`; `isBad` deletes the bytes before, so that a retry can store others. */
export async function returnToPending(
  control: Control,
  held: Artifact,
  { actor, isBad }: { actor: Actor; isBad: boolean },
): Promise<void> {
  const still = isBad ? await renewLease(control, held, storeCallMs) : held;
  if (still === undefined) return; // no longer ours: neither the row nor the bytes
  try {
    if (isBad) await control.storage.remove(still.storageKey);
  } finally {
    // Also when the bytes could not be deleted: whoever completes them again finds out, and tries again.
    const work = async (tx: Tx) => {
      if (await lockHeld(tx, still)) await release(control, tx, still, actor);
    };
    await transact(control, work, { repeatable: true });
  }
}

/**
 * Returns to `pending` what servers that died were verifying, so that its client can complete it; says how many. `isAlone`
 * is a server that has just opened a database which no other can have open: whoever held a claim there is gone.
 */
export async function releaseLapsedClaims(
  control: Control,
  { isAlone = false, signal }: { isAlone?: boolean; signal?: AbortSignal } = {},
): Promise<number> {
  const isLapsed = and(eq(artifacts.status, "verifying"), isAlone ? undefined : hasLapsed());
  const lapsed = await control.db.select({ id: artifacts.id }).from(artifacts).where(isLapsed).limit(500);
  const turn = startTurn(control, signal);
  const nameOf = ({ id }: { id: string }) => ({ artifact: id });
  const released = await turn.each(lapsed, nameOf, ({ id }) =>
    control.db.transaction(async (tx) => {
      const [artifact] = await tx
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.id, id), isLapsed))
        .for("update", { skipLocked: true });
      if (artifact) await release(control, tx, artifact, system);
      return artifact !== undefined;
    }),
  );
  turn.end();
  return released;
}

async function release(control: Control, tx: Tx, held: Artifact, actor: Actor): Promise<void> {
  const change = { status: "pending", claimedUntil: null } as const;
  const [artifact] = await tx.update(artifacts).set(change).where(eq(artifacts.id, held.id)).returning();
  if (artifact) await recordArtifact(control, tx, { actor, artifact, before: "verifying", at: control.now() });
}
