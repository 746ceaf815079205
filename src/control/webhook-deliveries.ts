import { and, eq, isNotNull, isNull, sql } from "drizzle-orm";
import type { Db } from "../db/client.ts";
import { rowsOf } from "../db/rows.ts";
import { webhookDeliveries, webhooks } from "../db/schema.ts";
import { messageOf } from "../lib/errors.ts";
import type { Sealer } from "../lib/sealer.ts";
import type { Logger } from "../telemetry/log.ts";
import { batchSize, inBatches } from "./batches.ts";
import type { SendOutcome, WebhookSender } from "./webhook-sender.ts";
import { type Delivery, secretContext, type Webhook } from "./webhooks.ts";

/** Sends what lies in the outbox; any number of servers may do so at once. */
export interface Deliveries {
  /** Starts what is due, without waiting for receivers. */
  run(): Promise<void>;
  /** Something was put into the outbox here. */
  nudge(): void;
  /** Takes nothing new, gives what is under way `graceMs`, then breaks it off for another server to repeat. */
  close(graceMs: number): Promise<void>;
}

export interface DeliveriesOptions {
  db: Db;
  secrets: Sealer;
  send: WebhookSender;
  log: Logger;
  /** Between 0 and 1; for tests. */
  random?: () => number;
}

/** How many requests one receiver gets from one server at once: a dead one holds up nobody but itself. */
const perReceiver = 4;
/** Longer than an attempt takes, with what surrounds it: only a server that died is taken over from. */
const claimSeconds = 20;
/** What is not taken in this time is given up, whether it was attempted or not. */
export const giveUpSeconds = 24 * 3600;

/** The seconds until the next attempt: 2, 8, 32, … up to four hours, spread out so that receivers are not met in waves. */
export function retryDelaySeconds(attempts: number, random: () => number = Math.random): number {
  return Math.min(4 * 3600, 2 * 4 ** (attempts - 1)) * (0.75 + random() / 2);
}

/** Claims by the database's clock, which all servers share. */
export function createDeliveries({ db, secrets, send, log, random = Math.random }: DeliveriesOptions): Deliveries {
  const underWay = new Map<string, Set<Promise<void>>>();
  const stopping = new AbortController();
  let closed = false;
  let running: Promise<void> | undefined;
  let isDue = false;

  /** One search at a time; what is put in meanwhile is found by the next. */
  function run(): Promise<void> {
    isDue = true;
    running ??= (async () => {
      while (isDue && !closed) {
        isDue = false;
        for (const webhookId of await dueWebhooks(db)) await start(webhookId);
      }
    })().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function start(webhookId: string): Promise<void> {
    const slots = underWay.get(webhookId) ?? new Set();
    underWay.set(webhookId, slots);
    const free = perReceiver - slots.size;
    if (free <= 0 || closed) return;
    for (const delivery of await claim(db, webhookId, free)) {
      const work = deliver(delivery)
        .catch((error: unknown) => log.error("a delivery was not written down, it is repeated", { webhookId, error }))
        .then(() => {
          slots.delete(work);
          if (slots.size === 0) underWay.delete(webhookId);
          nudge();
        });
      slots.add(work);
    }
  }

  async function deliver(delivery: Delivery): Promise<void> {
    const [webhook] = await db.select().from(webhooks).where(eq(webhooks.id, delivery.webhookId));
    if (webhook?.active !== true) return; // removed meanwhile, with its deliveries, or disabled
    const { id, event } = delivery;
    const outcome = await attempt(webhook, delivery);
    if (stopping.signal.aborted && outcome.status === null) return release(db, delivery);
    await settle(db, { delivery, outcome, random });
    const failed = outcome.error === null ? {} : { error: outcome.error };
    log.info("webhook sent", { webhook: webhook.id, delivery: id, event, status: outcome.status, ...failed });
  }

  async function attempt({ id, url, secret: sealed }: Webhook, delivery: Delivery): Promise<SendOutcome> {
    const { id: deliveryId, event, body } = delivery;
    try {
      const secret = secrets.open(sealed, secretContext(id));
      return await send({ url, secret, deliveryId, event, body }, stopping.signal);
    } catch (error) {
      return { status: null, error: messageOf(error) };
    }
  }

  function nudge(): void {
    if (closed) return;
    run().catch((error: unknown) => log.error("the outbox could not be read, it is tried again", { error }));
  }

  return {
    run,
    nudge,
    async close(graceMs) {
      closed = true;
      await running?.catch(() => {});
      const timer = setTimeout(() => stopping.abort(new Error("the server stops")), graceMs);
      await Promise.all([...underWay.values()].flatMap((slots) => [...slots]));
      clearTimeout(timer);
    },
  };
}

// Columns keep milliseconds, and rounded ones may lie ahead: what is due at once must be found at once.
const isDueNow = sql`status = 'pending' and next_attempt_at <= now() + interval '1 millisecond'
  and (claimed_until is null or claimed_until < now())`;

async function dueWebhooks(db: Db): Promise<string[]> {
  const result = await db.execute(sql`
    select distinct webhook_id as id from ${webhookDeliveries}
    where ${isDueNow}`);
  return rowsOf<{ id: string }>(result).map(({ id }) => id);
}

async function claim(db: Db, webhookId: string, limit: number): Promise<Delivery[]> {
  const mine = sql`(
    select id from ${webhookDeliveries}
    where webhook_id = ${webhookId} and ${isDueNow}
    order by event_id limit ${limit} for update skip locked
  )`;
  // As an array: a plain "in" may be run as a join that evaluates the limited search again.
  return db
    .update(webhookDeliveries)
    .set({ claimedUntil: sql`now() + make_interval(secs => ${claimSeconds})`, attempts: sql`attempts + 1` })
    .where(sql`${webhookDeliveries.id} = any(array${mine})`)
    .returning();
}

// Only the claim that was made is settled: whoever took over after it ended has the say.
const heldClaim = ({ id, attempts }: Delivery) =>
  and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.attempts, attempts), eq(webhookDeliveries.status, "pending"));

async function settle(
  db: Db,
  { delivery, outcome, random }: { delivery: Delivery; outcome: SendOutcome; random: () => number },
): Promise<void> {
  const last = { lastStatus: outcome.status, lastError: outcome.error, claimedUntil: null };
  if (outcome.error === null) {
    await db
      .update(webhookDeliveries)
      .set({ ...last, status: "delivered", deliveredAt: sql`now()` })
      .where(heldClaim(delivery));
    await noteFailing(db, delivery, false);
    return;
  }
  const delay = sql`make_interval(secs => ${retryDelaySeconds(delivery.attempts, random)})`;
  const end = sql`created_at + make_interval(secs => ${giveUpSeconds})`;
  await db
    .update(webhookDeliveries)
    .set({
      ...last,
      status: sql`case when now() >= ${end} then 'failed' else 'pending' end`,
      nextAttemptAt: sql`least(now() + ${delay}, greatest(now(), ${end}))`,
    })
    .where(heldClaim(delivery));
  await noteFailing(db, delivery, true);
}

// Written when it changes only, or all that is sent to one receiver would wait for its row.
async function noteFailing(db: Db, { webhookId }: Delivery, fails: boolean): Promise<void> {
  await db
    .update(webhooks)
    .set({ failingSince: fails ? sql`now()` : null })
    .where(and(eq(webhooks.id, webhookId), fails ? isNull(webhooks.failingSince) : isNotNull(webhooks.failingSince)));
}

async function release(db: Db, delivery: Delivery): Promise<void> {
  await db
    .update(webhookDeliveries)
    .set({ claimedUntil: null, attempts: sql`attempts - 1` })
    .where(heldClaim(delivery));
}

/** Removes deliveries that are over since a month; returns how many. */
export function purgeDeliveries({ db }: { db: Db }, signal?: AbortSignal): Promise<number> {
  const some = sql`(
    select id from ${webhookDeliveries} where status <> 'pending' and created_at < now() - make_interval(days => 30)
    limit ${batchSize} for update skip locked
  )`;
  return inBatches(async () => {
    const purged = await db
      .delete(webhookDeliveries)
      .where(sql`${webhookDeliveries.id} = any(array${some})`)
      .returning({ id: webhookDeliveries.id });
    return purged.length;
  }, signal);
}
