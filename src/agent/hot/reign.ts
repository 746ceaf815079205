import { setTimeout as sleep } from "node:timers/promises";
import { backOffMs, wellAfterMs } from "../back-off.ts";
import { describeExit } from "../explain.ts";
import type { Forwarder } from "./forwarder.ts";
import type { FailedStart, Version } from "./version.ts";
import type { WantedVersion } from "./wish.ts";

/** The time in which one version is the one that serves, however often it crashes. */
export interface Reign {
  readonly wanted: WantedVersion;
  /** The running one; undefined while it is down. */
  version(): Version | undefined;
  /** From now on nothing is started again, and the port is another's; what runs is the caller's to end. */
  abdicate(): Version | undefined;
  /** Settles after `abdicate`, when nothing is being started any more. */
  readonly over: Promise<void>;
}

export interface ReignOptions {
  wanted: WantedVersion;
  /** Absent: it has to be started, and may have failed to. */
  version?: Version | undefined;
  forwarder: Forwarder;
  start: (wanted: WantedVersion, stop: AbortSignal) => Promise<Version | FailedStart | undefined>;
  onChange: () => void;
  /** Told when it answers after a start that this reign has made. */
  onAnswering: () => void;
  /** Present: who is to be told, in place of another start, that it does not stay up. */
  onLost?: ((why: string) => void) | undefined;
  note: (line: string) => void;
}

/** A version that has just come up and crashes so often is given up, where there is one to go back to. */
const crashesToLose = 3;

/** Keeps a version running: a crash is followed by a restart, later and later; connections wait for the first one. */
export function beginReign({ wanted, version, forwarder, start, note, ...told }: ReignOptions): Reign {
  const { onChange, onAnswering, onLost } = told;
  const begin = performance.now();
  const over = new AbortController();
  const isOver = () => over.signal.aborted; // not narrowed: it changes while we wait
  const isYoung = () => performance.now() - begin < wellAfterMs;
  let running = version;
  const life = keep();

  async function keep(): Promise<void> {
    for (let failures = running ? 0 : 1; !isOver(); ) {
      if (running) {
        const crashed = running;
        const ended = await Promise.race([crashed.exited, aborted(over.signal)]);
        if (ended === undefined || isOver()) return;
        running = undefined;
        forwarder.hold();
        onChange();
        failures = performance.now() - crashed.since > wellAfterMs ? 1 : failures + 1;
        await crashed.end(); // others of its group may hold what the next one needs
        const why = `The application ${describeExit(ended)}.`;
        if (onLost && isYoung() && failures >= crashesToLose) return onLost(`${why} That was the third time.`);
        note(`${why} It is started again.`);
      }
      await sleep(backOffMs(failures), undefined, { signal: over.signal }).catch(() => undefined); // over: the loop ends
      const started = await start(wanted, over.signal);
      if (started === undefined) return;
      if (isOver()) return "failure" in started ? undefined : await started.end();
      if ("failure" in started) {
        failures += 1;
        if (onLost && isYoung()) return onLost(started.failure.message);
        forwarder.pause();
        note(`${started.failure.message} It is started again.`);
        continue;
      }
      running = started;
      await forwarder.serve(started);
      onAnswering();
    }
  }

  return {
    wanted,
    version: () => running,
    abdicate() {
      over.abort();
      return running;
    },
    over: life,
  };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((done) => {
    if (signal.aborted) return done(undefined);
    signal.addEventListener("abort", () => done(undefined), { once: true });
  });
}
