import { and, eq, isNotNull, isNull, sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { apps, artifacts, idempotencyKeys, webhookDeliveries } from "../db/schema.ts";
import { freeRemoval } from "./removal-lease.ts";

/** Ends the claims of a server that died, at the start of the only one that its database can have. */
export async function endClaims(db: Db): Promise<void> {
  await db.update(webhookDeliveries).set({ claimedUntil: null }).where(isNotNull(webhookDeliveries.claimedUntil));
  const isRemoving = and(eq(artifacts.status, "expired"), isNotNull(artifacts.claimedUntil));
  await db.update(artifacts).set({ claimedUntil: null }).where(isRemoving);
  await db.update(apps).set({ deletingAt: freeRemoval }).where(isNotNull(apps.deletingAt));
  await db
    .update(idempotencyKeys)
    .set({ claimedUntil: sql`now() - interval '1 second'` })
    .where(isNull(idempotencyKeys.status));
}
