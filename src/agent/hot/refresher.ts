import { rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { AgentReport } from "../../core/agent-report.ts";
import type { Digest } from "../../core/digest.ts";
import { formatMarker, type HotMarker } from "../../core/hot-markers.ts";
import { type HotFetch, hotNames } from "../../core/pod-hot.ts";
import { messageOf } from "../../lib/errors.ts";
import { leaveVerdict, say } from "../pod-words.ts";
import { fetchVersion } from "./fetch-version.ts";
import { followFile } from "./follow-file.ts";
import { outcomeOf } from "./outcome-of.ts";
import { readStatus } from "./read-status.ts";
import { NotServing, toRefreshFailure } from "./refresh-failure.ts";
import { emptySlots, freeSlot } from "./slots.ts";
import { readWish, type WantedVersion, type Wish, writeJson } from "./wish.ts";

/** Brings the digest that is wanted into service, one at a time. */
export interface Refresher {
  /** What the pod shall run from now on; one that is on its way is given up. */
  want(digest: Digest): void;
  /** Works until it is stopped; settles earlier, with an exit code, when there is nothing that could ever run. */
  run(): Promise<number>;
}

/** What became of a digest. */
export type Refreshed = Omit<AgentReport, "pod" | "at">;

/**
 * What was reached lies in the wish, which only this container can write: killed anywhere, the next run goes on from there.
 * A digest that failed is left alone until another one is wanted.
 */
export function createRefresher(
  wanted: HotFetch,
  { stop, onRefreshed }: { stop: AbortSignal; onRefreshed: (refreshed: Refreshed) => void },
): Refresher {
  const wishPath = join(wanted.control, hotNames.wish);
  const statusPath = join(wanted.workspace, hotNames.status);
  let wish: Wish = readWish(wishPath) ?? { seq: 0 };
  let target: Digest | undefined;
  let turn = new AbortController();
  let isBaseTried = false;
  let isTidying = false;
  let wake: () => void = () => undefined;

  async function save(next: Wish): Promise<void> {
    wish = next;
    await writeJson(wishPath, next);
  }

  /** What is to be done now, if anything. Where nothing serves, the release's own artifact is better than nothing. */
  function nextDigest(): Digest | undefined {
    if (target === undefined || target === wish.current?.digest) return undefined;
    if (target !== wish.failed) return target;
    return wish.current === undefined && target !== wanted.digest && !isBaseTried ? wanted.digest : undefined;
  }

  async function refresh(digest: Digest, signal: AbortSignal): Promise<void> {
    const begin = performance.now();
    mark({ kind: "new", digest });
    try {
      const next = await bring(digest, signal);
      const withinMs = (wanted.startTimeoutSec * 3 + wanted.graceSec * 6 + 60) * 1_000;
      const outcome = await outcomeOf(wish.seq, { path: statusPath, withinMs, signal });
      if (!outcome.ok) throw new NotServing(outcome);
      await serve(next, Math.round(performance.now() - begin));
    } catch (error) {
      if (!signal.aborted) return await fail(digest, error, Math.round(performance.now() - begin));
      if (wish.current) await save({ seq: wish.seq, current: wish.current, previous: wish.previous }); // the supervisor need not go on with it
    }
  }

  async function serve(next: WantedVersion, ms: number): Promise<void> {
    await save({ seq: wish.seq, current: next, previous: wish.current, failed: wish.failed });
    await pointTo(next.folder);
    mark({ kind: "ok", digest: next.digest, ms });
    onRefreshed({ digest: next.digest, outcome: "ok", serving: next.digest, ms });
  }

  /** The supervisor has changed its mind: what failed has come up after all, or what served did not stay up. */
  async function reconsider(): Promise<void> {
    const outcome = readStatus(statusPath)?.outcome;
    if (outcome?.seq !== wish.seq) return;
    const { next, current, previous } = wish;
    if (outcome.ok && next?.digest === outcome.digest && next.digest === wish.failed) {
      wish = { ...wish, failed: undefined };
      return await serve(next, outcome.ms);
    }
    if (outcome.ok || next || previous === undefined || current?.digest !== outcome.digest) return;
    await save({ seq: wish.seq, current: previous });
    await pointTo(previous.folder);
    await fail(current.digest, new NotServing(outcome, { hasServed: true }), outcome.ms);
  }

  /** Unpacks it and wishes it, unless a run before this one had come so far. */
  async function bring(digest: Digest, signal: AbortSignal) {
    if (wish.next?.digest === digest) return wish.next;
    const folder = await freeSlot({ workspace: wanted.workspace, digest, busy, signal });
    const isFirst = wish.current === undefined;
    const next = await fetchVersion({ wanted, digest, folder, isFirst, signal });
    signal.throwIfAborted();
    const { current, previous, failed } = wish;
    await save({ seq: wish.seq + 1, next, current, previous, failed });
    return next;
  }

  function busy(): string[] {
    const own = [wish.current?.folder, wish.next?.folder].filter((folder) => folder !== undefined);
    return [...own, ...(readStatus(statusPath)?.busy ?? [])];
  }

  /** Beside whatever comes next: a failure costs room and time, and the next digest tells of it. */
  function tidy(): void {
    if (isTidying || wish.current === undefined || readStatus(statusPath) === undefined) return;
    isTidying = true;
    const keep = [...busy(), ...(wish.previous ? [wish.previous.folder] : [])];
    emptySlots(wanted.workspace, keep)
      .catch((error) => say(`a slot could not be emptied: ${messageOf(error)}`))
      .finally(() => {
        isTidying = false;
      });
  }

  async function fail(digest: Digest, error: unknown, ms: number): Promise<void> {
    const { reason, message, log } = toRefreshFailure(error);
    if (digest === wanted.digest) isBaseTried = true;
    const failed = digest === target ? digest : wish.failed;
    // Where nothing else is there to serve, the supervisor goes on trying.
    if (wish.current) await save({ seq: wish.seq, current: wish.current, previous: wish.previous, failed });
    else if (wish.next) await save({ ...wish, failed });
    else wish = { ...wish, failed }; // not written: a wish on the disk says that code is there
    say(message);
    for (const line of log) say(`  | ${oneLine(line)}`);
    mark({ kind: "fail", digest, reason });
    onRefreshed({ digest, outcome: "fail", serving: wish.current?.digest, reason, message, log, ms });
    if (wish.current === undefined && wish.next === undefined && isBaseTried) throw error;
  }

  async function pointTo(folder: string): Promise<void> {
    const link = join(wanted.workspace, hotNames.current);
    await rm(`${link}.part`, { force: true });
    await symlink(basename(folder), `${link}.part`);
    await rename(`${link}.part`, link);
  }

  return {
    want(digest) {
      if (digest === target) return;
      target = digest;
      turn.abort();
      wake();
    },
    async run() {
      stop.addEventListener("abort", () => {
        turn.abort();
        wake();
      });
      const stopFollowing = followFile(statusPath, () => wake());
      stop.addEventListener("abort", stopFollowing);
      while (!stop.aborted) {
        const woken = new Promise<void>((done) => {
          wake = done;
        });
        await reconsider();
        const digest = nextDigest();
        if (digest === undefined) {
          tidy();
          await woken;
          continue;
        }
        turn = new AbortController();
        try {
          await refresh(digest, turn.signal);
        } catch (error) {
          leaveVerdict(error, wanted);
          return 1;
        }
      }
      return 143;
    },
  };
}

function mark(marker: HotMarker): void {
  process.stdout.write(`${formatMarker(marker)}\n`);
}

/** What an application said stands on a line that can be nothing else. */
const oneLine = (text: string): string => text.replace(/[\r\n\u2028\u2029]+/g, " ");
