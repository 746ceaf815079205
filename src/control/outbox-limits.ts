import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { rowsOf } from "../db/rows.ts";
import { webhookDeliveries, webhooks } from "../db/schema.ts";
import { recordTransitions } from "./audit.ts";
import { type Control, system } from "./control.ts";
import { giveUpSeconds } from "./webhook-deliveries.ts";

/** What was done about receivers that do not take what they are sent. */
export interface OutboxLimited {
  /** Webhooks that are sent nothing any more. */
  disabled: number;
  /** Deliveries that are too old, or whose webhook was disabled; they are shown as failed. */
  givenUp: number;
  /** Deliveries beyond what may wait for one webhook, the oldest, which nothing remembers. */
  dropped: number;
}

export interface OutboxLimits {
  /** Deliveries that wait for one webhook. */
  maxWaiting?: number;
  /** Rows that one statement changes. */
  batch?: number;
}

const disableDays = 3;

/** Bounds what lies in the outbox, by the database's clock. A dead receiver is attempted seldom, and told of much. */
export async function limitOutbox(
  control: Control,
  { maxWaiting = 10_000, batch = 5_000 }: OutboxLimits = {},
): Promise<OutboxLimited> {
  const { db } = control;
  await forgetFailures(db);
  const disabled = await disableFailing(control);
  const tooOld = sql`created_at < now() - make_interval(secs => ${giveUpSeconds})`;
  const ofDisabled = sql`webhook_id in (select ${webhooks.id} from ${webhooks} where not ${webhooks.active})`;
  const givenUp = (await giveUp(db, tooOld, batch)) + (await giveUp(db, ofDisabled, batch));
  return { disabled, givenUp, dropped: await dropOldest(control, maxWaiting, batch) };
}

// It failed, and then there was nothing more to take: that says nothing of the days since.
async function forgetFailures(db: Db): Promise<void> {
  await db
    .update(webhooks)
    .set({ failingSince: null })
    .where(
      sql`${webhooks.failingSince} is not null and ${webhooks.active} and not exists (
        select from ${webhookDeliveries} where webhook_id = ${webhooks.id} and status = 'pending')`,
    );
}

function disableFailing({ db, now, log }: Control): Promise<number> {
  return db.transaction(async (tx) => {
    const disabled = await tx
      .update(webhooks)
      .set({
        active: false,
        disabledReason: `It took nothing for ${disableDays} days. Mend the receiver, remove this webhook and create it again.`,
      })
      .where(
        and(
          eq(webhooks.active, true),
          sql`${webhooks.failingSince} < now() - make_interval(days => ${disableDays}::int)`,
        ),
      )
      .returning();
    const at = now();
    await recordTransitions(
      tx,
      system,
      disabled.map(({ id, appId, failingSince }) => ({
        ...{ subject: "webhook" as const, id, appId, before: "created", after: "disabled", at },
        detail: { failing_since: failingSince?.toISOString() },
      })),
    );
    for (const { id } of disabled) log.warn("a webhook was disabled: it took nothing for days", { webhook: id });
    return disabled.length;
  });
}

/** What is under way now is left to whoever sends it. */
const unclaimed = sql`status = 'pending' and (claimed_until is null or claimed_until < now())`;

function giveUp(db: Db, which: SQL, batch: number): Promise<number> {
  return inBatches(batch, async () => {
    const ids = sql`select id from ${webhookDeliveries} where ${unclaimed} and ${which} limit ${batch} for update skip locked`;
    const ended = await db
      .update(webhookDeliveries)
      .set({
        status: "failed",
        claimedUntil: null,
        lastError: sql`coalesce(last_error, 'there was no attempt in time')`,
      })
      .where(sql`${webhookDeliveries.id} = any(array(${ids}))`)
      .returning({ id: webhookDeliveries.id });
    return ended.length;
  });
}

async function dropOldest({ db, log }: Control, maxWaiting: number, batch: number): Promise<number> {
  const full = await db.execute(sql`
    select webhook_id as id from ${webhookDeliveries} where status = 'pending'
    group by webhook_id having count(*) > ${maxWaiting}`);
  let dropped = 0;
  for (const { id } of rowsOf<{ id: string }>(full)) {
    const newest = sql`select event_id from ${webhookDeliveries} where webhook_id = ${id} and status = 'pending'
      order by event_id desc offset ${maxWaiting} limit 1`;
    const ofThis = await inBatches(batch, async () => {
      const ids = sql`select id from ${webhookDeliveries} where webhook_id = ${id} and ${unclaimed}
        and event_id <= (${newest}) limit ${batch} for update skip locked`;
      const gone = await db
        .delete(webhookDeliveries)
        .where(sql`${webhookDeliveries.id} = any(array(${ids}))`)
        .returning({ id: webhookDeliveries.id });
      return gone.length;
    });
    log.warn("deliveries were dropped: too many wait for a webhook", { webhook: id, dropped: ofThis, maxWaiting });
    dropped += ofThis;
  }
  return dropped;
}

/** Repeats until a batch was not full; a long transaction would hold up those who send. */
async function inBatches(batch: number, change: () => Promise<number>): Promise<number> {
  for (let total = 0; ; ) {
    const changed = await change();
    total += changed;
    if (changed < batch) return total;
  }
}
