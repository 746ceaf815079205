import { isNotNull, isNull, sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { idempotencyKeys, webhookDeliveries } from "../db/schema.ts";

/** Ends the claims of a server that died, at the start of the only one that its database can have. */
export async function endClaims(db: Db): Promise<void> {
  await db.update(webhookDeliveries).set({ claimedUntil: null }).where(isNotNull(webhookDeliveries.claimedUntil));
  await db
    .update(idempotencyKeys)
    .set({ claimedUntil: sql`now() - interval '1 second'` })
    .where(isNull(idempotencyKeys.status));
}
