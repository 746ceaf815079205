import { and, asc, gt, inArray, max } from "drizzle-orm";
import { type EventView, eventTypes } from "../core/events.ts";
import type { Db } from "../db/client.ts";
import { auditEvents } from "../db/schema.ts";
import type { Logger } from "../telemetry/log.ts";
import { readAudit, toLine } from "./audit.ts";
import { createListenerPlaces } from "./listener-places.ts";
import { sequenceEvents, toEvent } from "./sequencer.ts";

/** What happened, as it is committed, for any number of listeners in this process. */
export interface EventFeed {
  /** Something may have been committed here: its events are told at once. */
  nudge(): void;
  /** Places and tells what was committed, here or by another server. */
  advance(): Promise<void>;
  /** From now on, or from what comes after the event `after`; refused when the caller `by` listens too often already. */
  listen(after?: number, by?: string): Promise<EventListener>;
  /** Listeners in this process. */
  listeners(): number;
  /** Resolves when nothing of it touches the database any more. */
  close(): Promise<void>;
}

export interface EventListener {
  /** What came since the last call, at most a page of it; empty when nothing did for `withinMs`, or when `signal` aborts. */
  next(withinMs: number, signal: AbortSignal): Promise<EventView[]>;
  /** The feed has closed: `next` waits for nothing any more, and would be asked in vain. */
  isOver(): boolean;
  close(): void;
}

export interface EventFeedOptions {
  db: Db;
  log: Logger;
  /** Told when deliveries were put into the outbox. */
  onDeliveries?: () => void;
}

const pageSize = 200;
/** Events that are kept at hand; who is further behind reads the database, a page at a time. */
const keptEvents = 2_000;
/** A commit is told after this; under load, what was committed meanwhile is told together. */
const nudgeMs = 5;
const pauseMs = 40;

/** One reader of the database for all listeners: they have a place each, and nothing is queued for them. */
export function createEventFeed({ db, log, onDeliveries }: EventFeedOptions): EventFeed {
  let kept: EventView[] = [];
  /** Every event after `start`, up to `head`, is in `kept`. Unknown while nobody listens. */
  let start = 0;
  let head: number | undefined;
  const places = createListenerPlaces();
  /** Who waits for what comes next. */
  const waiters = new Set<() => void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  let closed = false;
  let endedAt = Number.NEGATIVE_INFINITY;

  async function step(): Promise<void> {
    for (let more = true; more && !closed; ) {
      const sequenced = await sequenceEvents(db);
      if (sequenced.deliveries > 0) onDeliveries?.();
      more = sequenced.more;
    }
    if (places.taken() > 0 && !closed) return readOn();
    head = undefined;
    kept = [];
  }

  async function readOn(): Promise<void> {
    if (head === undefined) start = head = await newestPlace();
    for (let from = head; ; ) {
      const lines = (await readAudit(db).where(gt(auditEvents.seq, from)).orderBy(asc(auditEvents.seq)).limit(500)).map(
        toLine,
      );
      const last = lines.at(-1)?.seq;
      if (last === undefined || last === null) return;
      keep(lines.map(toEvent).filter((event) => event !== undefined));
      head = from = last;
      wake(waiters);
    }
  }

  function keep(events: EventView[]): void {
    kept.push(...events);
    const tooMany = kept.length - keptEvents;
    if (tooMany > 0) start = kept.splice(0, tooMany).at(-1)?.id ?? start;
  }

  async function newestPlace(): Promise<number> {
    const [found] = await db.select({ seq: max(auditEvents.seq) }).from(auditEvents);
    return found?.seq ?? 0;
  }

  /** One at a time; who asks while one runs gets the next one, which sees what was committed meanwhile. */
  function advance(): Promise<void> {
    if (closed) return Promise.resolve();
    if (running === undefined) {
      running = step().finally(() => {
        running = undefined;
        endedAt = performance.now();
      });
      return running;
    }
    again ??= running
      .catch(() => {})
      .then(() => {
        again = undefined;
        return advance();
      });
    return again;
  }

  async function listen(after?: number, by = "someone"): Promise<EventListener> {
    const close = places.take(by);
    try {
      await advance();
    } catch (error) {
      close();
      throw error;
    }
    let place = Math.min(after ?? Number.POSITIVE_INFINITY, head ?? 0);

    async function page(): Promise<EventView[]> {
      const upTo = head ?? place;
      const events = place < start ? await readPage(db, place) : kept.filter(({ id }) => id > place).slice(0, pageSize);
      place = events.length < pageSize ? Math.max(upTo, events.at(-1)?.id ?? 0) : (events.at(-1)?.id ?? place);
      return events;
    }

    return {
      async next(withinMs, signal) {
        const deadline = performance.now() + withinMs;
        while (!signal.aborted && !closed) {
          const events = head === undefined || place >= head ? [] : await page();
          if (events.length > 0) return events;
          const left = deadline - performance.now();
          if (left <= 0) break;
          // No pause between this look and the wait: nothing can come unnoticed.
          if (!closed && (head === undefined || place >= head)) await soonest(waiters, left, signal);
        }
        return [];
      },
      isOver: () => closed,
      close,
    };
  }

  return {
    nudge() {
      if (closed) return;
      const wait = Math.max(nudgeMs, endedAt + pauseMs - performance.now());
      timer ??= setTimeout(() => {
        timer = undefined;
        advance().catch((error: unknown) => log.error("events could not be told, it is tried again", { error }));
      }, wait);
    },
    advance,
    listen,
    listeners: places.taken,
    async close() {
      closed = true;
      clearTimeout(timer);
      wake(waiters);
      await again?.catch(() => {});
      await running?.catch(() => {});
    },
  };
}

async function readPage(db: Db, after: number): Promise<EventView[]> {
  const found = await readAudit(db)
    .where(and(gt(auditEvents.seq, after), inArray(auditEvents.action, [...eventTypes])))
    .orderBy(asc(auditEvents.seq))
    .limit(pageSize);
  return found.map((row) => toEvent(toLine(row))).filter((event) => event !== undefined);
}

function wake(waiters: Set<() => void>): void {
  for (const end of waiters) end();
}

/** Until it is woken, `ms` have passed, or `signal` aborts; leaves nothing behind, since listeners wait for days. */
async function soonest(waiters: Set<() => void>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const timer = setTimeout(end, ms);
  waiters.add(end);
  signal.addEventListener("abort", end, { once: true });
  try {
    await ended;
  } finally {
    clearTimeout(timer);
    waiters.delete(end);
    signal.removeEventListener("abort", end);
  }
}
