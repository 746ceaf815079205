import { and, eq, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { getApp } from "./apps.ts";
import { claimExpired, giveUp, removeBytes, untilFree } from "./byte-removal.ts";
import type { Actor, Control } from "./control.ts";
import { lockIfLive, lockLiveApp } from "./live-app.ts";
import { transact } from "./transactions.ts";
import { startTurn } from "./turn.ts";
import type { Artifact } from "./uploads.ts";

/** Gives up a pending upload: its row expires, its bytes go, its URLs have stopped when this resolves. */
export async function abandonUpload(control: Control, app: string, digest: Digest, actor: Actor): Promise<void> {
  const { id } = await getApp(control.db, app);
  let isUnderWay = false;
  await untilFree(control, async () => {
    const { known, claimed } = await claimGivenUp(control, { appId: id, digest, actor });
    if (!known && !isUnderWay) throw new AetherError("not_found", "There is no pending upload of this digest.");
    isUnderWay = true;
    return !known || (claimed !== undefined && (await removeBytes(control, claimed))) ? true : undefined;
  });
}

/** `pending → expired`, or what an earlier removal left undone. */
function claimGivenUp(
  control: Control,
  { appId, digest, actor }: { appId: string; digest: Digest; actor: Actor },
): Promise<{ known: boolean; claimed?: Artifact | undefined }> {
  return transact(control, async (tx) => {
    await lockLiveApp(tx, appId);
    const [artifact] = await tx
      .select()
      .from(artifacts)
      .where(and(eq(artifacts.appId, appId), eq(artifacts.digest, digest)))
      .for("update");
    if (artifact?.status === "pending") return { known: true, claimed: await giveUp(control, tx, { artifact, actor }) };
    const isLeft = artifact?.status === "expired" && artifact.expiresAt !== null;
    return isLeft
      ? { known: true, claimed: await claimExpired(control, tx, eq(artifacts.id, artifact.id)) }
      : { known: false };
  });
}

/** Removes pending uploads whose time is over, in the database and in storage; returns how many. */
export async function expirePendingUploads(control: Control, actor: Actor, signal?: AbortSignal): Promise<number> {
  const { db, now } = control;
  const isOverdue = and(eq(artifacts.status, "pending"), sql`${artifacts.expiresAt} < ${now().toISOString()}`);
  const overdue = await db.select().from(artifacts).where(isOverdue).limit(500);
  const turn = startTurn(control, signal);
  const nameOf = ({ id }: { id: string }) => ({ artifact: id });
  const expired = await turn.each(overdue, nameOf, async ({ id, appId }) => {
    const given = await transact(control, async (tx) => {
      if (!(await lockIfLive(tx, appId))) return undefined;
      const [artifact] = await tx
        .select()
        .from(artifacts)
        .where(and(eq(artifacts.id, id), isOverdue))
        .for("update", { skipLocked: true }); // another server is at it
      return artifact && giveUp(control, tx, { artifact, actor });
    });
    if (given === undefined) return false;
    control.metrics.pendingGcDeleted.inc();
    await removeBytes(control, given);
    return true;
  });
  turn.end();
  return expired;
}
