import { wellAfterMs } from "../back-off.ts";
import { createDrains, slotNames } from "./drains.ts";
import type { Forwarder } from "./forwarder.ts";
import { beginReign, type Reign } from "./reign.ts";
import { type FailedStart, startVersion, type Version, type VersionSurroundings } from "./version.ts";
import type { HotOutcome, HotStatus, WantedVersion, Wish } from "./wish.ts";

export interface SupervisorOptions {
  forwarder: Forwarder;
  surroundings: VersionSurroundings;
  /** Told after each change. */
  report: (status: HotStatus) => void;
  note: (line: string) => void;
}

/** Runs what is wished, one version after another, so that no client notices. */
export interface Supervisor {
  /** What holds now; an older one that is still being tried is given up. */
  wish(wish: Wish): void;
  /** Ends all that runs; the port is kept until then. */
  stop(): Promise<void>;
}

/**
 * A version is replaced when the next one answers, and not before: one that crashes, never listens or fails its health
 * check changes nothing. Then new connections go to the next one, and the one before drains.
 */
export function createSupervisor({ forwarder, surroundings, report, note }: SupervisorOptions): Supervisor {
  let reign: Reign | undefined;
  let attempt: { seq: number; wanted: WantedVersion; stop: AbortController } | undefined;
  let outcome: HotOutcome | undefined;
  let work: Promise<void> = Promise.resolve();
  let fallback: WantedVersion | undefined;
  let newest = -1;
  let settled: NodeJS.Timeout | undefined;
  let isStopping = false;
  const drains = createDrains(forwarder, tell);

  function tell(): void {
    const folders = [reign?.wanted.folder, attempt?.wanted.folder, ...drains.folders()];
    const used = new Set(folders.filter((folder) => folder !== undefined));
    // The version before is kept as long as there is room: the next one may not stay up.
    if (fallback && used.size < slotNames.length - 1) used.add(fallback.folder);
    else if (fallback && !used.has(fallback.folder)) fallback = undefined;
    const busy = [...used];
    report({ outcome, serving: reign?.version()?.wanted.digest, busy, draining: drains.folders().length });
  }

  const start = (wanted: WantedVersion, stop: AbortSignal) =>
    startVersion(wanted, surroundings, { stop, onIdle: drains.review });

  function rule(wanted: WantedVersion, { seq, version }: { seq: number; version?: Version | undefined }): void {
    reign = beginReign({
      wanted,
      version,
      forwarder,
      start,
      note,
      onChange: tell,
      onAnswering() {
        if (outcome?.seq === seq && !outcome.ok && outcome.digest === wanted.digest) {
          outcome = { seq, digest: wanted.digest, ok: true, ms: outcome.ms };
        }
        tell();
      },
      onLost: fallback && ((why) => goBack(why, seq, wanted)),
    });
  }

  /** It answered, was given the clients, and does not stay up: the version before is started again in its place. */
  function goBack(why: string, seq: number, lost: WantedVersion): void {
    const before = fallback;
    fallback = undefined;
    note(`${why} ${before ? "The version before it" : "It"} is started again.`);
    rule(before ?? lost, { seq }); // the slot of the version before may have been needed meanwhile
    if (before) outcome = { seq, digest: lost.digest, ok: false, ms: 0, reason: "crash_loop", message: why };
    tell();
  }

  async function attemptNext(wanted: WantedVersion, seq: number): Promise<void> {
    if (isStopping || seq !== newest) return;
    const stop = new AbortController();
    attempt = { seq, wanted, stop };
    tell();
    const begin = performance.now();
    const started = await start(wanted, stop.signal);
    attempt = undefined;
    if (started === undefined) return tell(); // a newer wish came
    const ms = Math.round(performance.now() - begin);
    if ("failure" in started) fail(started, { seq, digest: wanted.digest, ms, wanted });
    else {
      await crown(started, seq);
      outcome = { seq, digest: wanted.digest, ok: true, ms };
    }
    tell();
  }

  async function crown(version: Version, seq: number): Promise<void> {
    const before = reign?.abdicate();
    const served = forwarder.serve(version);
    fallback = before?.wanted;
    clearTimeout(settled);
    settled = setTimeout(() => {
      fallback = undefined;
      tell();
    }, wellAfterMs).unref();
    rule(version.wanted, { seq, version });
    if (before) drains.add(before);
    await served;
  }

  function fail(
    { failure, log }: FailedStart,
    { wanted, ...of }: { seq: number; digest: string; ms: number; wanted: WantedVersion },
  ): void {
    outcome = { ...of, ok: false, reason: failure.reason, message: failure.message, log };
    if (reign === undefined) rule(wanted, { seq: of.seq }); // nothing else is there to serve: it is tried again and again
  }

  return {
    wish({ seq, next, current }) {
      if (attempt && attempt.seq !== seq) attempt.stop.abort();
      if (attempt && next === undefined) attempt.stop.abort();
      newest = next === undefined ? -1 : seq;
      if (reign === undefined && current !== undefined) rule(current, { seq });
      if (next === undefined || seq <= (outcome?.seq ?? -1) || attempt?.seq === seq) return tell();
      work = work.then(() => attemptNext(next, seq));
    },
    async stop() {
      isStopping = true;
      attempt?.stop.abort();
      await work;
      const version = reign?.abdicate();
      await Promise.all([version?.end(), reign?.over, drains.end()]);
      forwarder.close();
    },
  };
}
