import { and, eq, inArray, isNull, or, type SQL, sql } from "drizzle-orm";
import { type EventView, isEventType, wantsEvent } from "../core/events.ts";
import type { Db, Tx } from "../db/client.ts";
import { rowsOf } from "../db/rows.ts";
import { auditEvents, webhookDeliveries, webhooks } from "../db/schema.ts";
import { type AuditLine, toLine } from "./audit.ts";

const batchSize = 500;

export interface Sequenced {
  /** Lines that got their place. */
  lines: number;
  /** Deliveries that were put into the outbox. */
  deliveries: number;
  /** Whether more may be waiting. */
  more: boolean;
}

/**
 * Gives committed lines of the audit their place in the feed, and puts what webhooks want into their outbox, in the same
 * transaction. Ids are drawn before a commit and become visible out of order; places are given after it, by one server at
 * a time, so whoever reads on from the last place that it saw misses nothing.
 */
export async function sequenceEvents(db: Db): Promise<Sequenced> {
  if (!(await hasUnplaced(db))) return nothing;
  return db.transaction(async (tx) => {
    if (!(await isOurTurn(tx))) return nothing;
    const lines = await numberLines(tx);
    const deliveries = lines.length === 0 ? 0 : await fillOutbox(tx, lines);
    return { lines: lines.length, deliveries, more: lines.length === batchSize };
  });
}

/** An event as it is sent, `undefined` for lines that are not told of or have no place yet. */
export function toEvent(line: AuditLine): EventView | undefined {
  const { action, seq } = line;
  if (seq === null || !isEventType(action)) return undefined;
  return {
    id: seq,
    type: action,
    at: line.at.toISOString(),
    app: line.app,
    subject: { type: line.subjectType, id: line.subjectId },
    before: line.before,
    after: line.after,
    actor: line.actor,
    request_id: line.requestId,
    detail: line.detail,
  };
}

const nothing: Sequenced = { lines: 0, deliveries: 0, more: false };

async function hasUnplaced(db: Db): Promise<boolean> {
  const found = await db.select({ id: auditEvents.id }).from(auditEvents).where(isNull(auditEvents.seq)).limit(1);
  return found.length > 0;
}

// Released after the commit has become visible, so the next one sees every place that was given.
async function isOurTurn(tx: Tx): Promise<boolean> {
  const result = await tx.execute(sql`select pg_try_advisory_xact_lock(4181) as ours`);
  return rowsOf<{ ours: boolean }>(result)[0]?.ours === true;
}

async function numberLines(tx: Tx): Promise<AuditLine[]> {
  const places = sql`(
    select id, (select coalesce(max(seq), 0) from ${auditEvents}) + row_number() over (order by id) as place
    from (select id from ${auditEvents} where seq is null order by id limit ${batchSize}) as unplaced
  ) as placed`;
  const rows = await tx
    .update(auditEvents)
    .set({ seq: sql`placed.place` })
    .from(places)
    .where(eq(auditEvents.id, sql`placed.id`))
    .returning({ line: auditEvents });
  return rows.map(({ line }) => toLine({ line, name: null })).sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
}

async function fillOutbox(tx: Tx, lines: AuditLine[]): Promise<number> {
  const receivers = await tx
    .select()
    .from(webhooks)
    .where(and(eq(webhooks.active, true), isForOneOf(lines)));
  if (receivers.length === 0) return 0;
  const wanted = lines.flatMap((line) => {
    const event = toEvent(line);
    if (event === undefined) return [];
    const body = JSON.stringify(event);
    return receivers
      .filter(({ appId, events }) => (appId === null || appId === line.appId) && wantsEvent(events, event.type))
      .map(({ id }) => ({ webhookId: id, eventId: event.id, event: event.type, body }));
  });
  // Few at a time: a statement takes 65,535 parameters.
  for (let at = 0; at < wanted.length; at += 1_000) {
    await tx
      .insert(webhookDeliveries)
      .values(wanted.slice(at, at + 1_000))
      .onConflictDoNothing();
  }
  return wanted.length;
}

// Of a thousand apps few are in a batch, and only their webhooks are looked at.
function isForOneOf(lines: AuditLine[]): SQL | undefined {
  const appIds = new Set(lines.flatMap(({ appId }) => appId ?? []));
  return or(isNull(webhooks.appId), inArray(webhooks.appId, [...appIds]));
}
