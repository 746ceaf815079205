import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine, LogQuery } from "../../../core/log-line.ts";
import { createLogPlace, type LogPlace } from "../../../core/log-place.ts";
import { podContainers } from "../../../core/pod-agent.ts";
import type { Cluster } from "../../../k8s/cluster.ts";
import { isClusterError } from "../../../k8s/cluster-error.ts";
import { AetherError, messageOf } from "../../../lib/errors.ts";
import { createNotifier, type Notifier } from "../../../lib/notifier.ts";
import { createTurns } from "../../../lib/turns.ts";
import type { Logger } from "../../../telemetry/log.ts";
import type { Pod } from "../world.ts";
import { type ContainerName, containersNamed, containersOf, runsOf } from "./container-runs.ts";
import { followApp } from "./follow-app.ts";
import { type FollowedContainer, followContainer } from "./followed-container.ts";
import { anchorLines, createLogTail, type LogTail } from "./log-tail.ts";
import { lastLinesOf, mergeLines } from "./merge-lines.ts";
import { readContainer } from "./read-container.ts";

export interface PodLogsOptions {
  cluster: Cluster;
  namespace: string;
  /** The application's pods now. */
  pods: (app: string) => Pod[];
  /** Settles when they are known. */
  ready: () => Promise<void>;
  log: Logger;
}

/** The logs of applications on a cluster. However many follow one, each of its containers is read once. */
export interface PodLogs {
  /** Throws when the application has no container of that name. */
  check(app: string, query: LogQuery): void;
  read(app: string, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine>;
  /** Something of the application's pods changed. */
  changed(app: string): void;
  /** How many containers are followed now, for tests. */
  tails(): number;
}

/** Whole logs, or pages of them, that are read at once: Bun sends 256 requests at a time, and every tail is one. */
const readsAtOnce = 16;

const longestReadMs = 60_000;

/** Nothing is asked of the cluster before `read`. */
export function createPodLogs({ cluster, namespace, pods, ready, log }: PodLogsOptions): PodLogs {
  const tails = new Map<string, { tail: LogTail; followers: number }>();
  /** Of each app: its pods changed; and that, or one of them has written. */
  const notifiers = new Map<string, { changes: Notifier; news: Notifier }>();
  const inTurn = createTurns(readsAtOnce);

  function check(app: string, { container }: LogQuery): void {
    const names = new Set<string>(pods(app).flatMap(containersOf));
    for (const name of names.size === 0 ? Object.values(podContainers) : []) names.add(name);
    if (container === undefined || names.has(container)) return;
    throw new AetherError("bad_request", `"${app}" has no container "${container}".`, {
      hint: `There are: ${[...names].join(", ")}.`,
    });
  }

  async function* read(app: string, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    const { follow = false, tailLines, since, previous = false, container = podContainers.app } = query;
    await Promise.race([ready(), aborted(signal)]);
    const { news } = notifiersOf(app);
    const containers = () => containersNamed(pods(app), container);
    const places = new Map<string, LogPlace>();
    const history = containers().map((name) => {
      const place = createLogPlace();
      places.set(name.uid, place);
      const runs = runsOf(pods(app), name) ?? { run: 0, startedAt: undefined, previous: undefined, isOver: true };
      // More than was asked for: they tell where following begins.
      const tail = tailLines === undefined ? undefined : tailLines + anchorLines;
      const of = previous ? ("previous" as const) : ("all" as const);
      const lines = readContainer({ cluster, namespace, name, runs }, place, { signal, since, tailLines: tail, of });
      return follow && tail === undefined ? untilBroken(lines) : lines;
    });
    const lines = mergeLines(history);
    if (tailLines === undefined) yield* lines;
    else yield* await inTurn(() => inTime(lastLinesOf(lines, tailLines), signal));
    if (!follow || previous) return;
    const followOne = (name: ContainerName) =>
      followed(app, name, { place: places.get(name.uid) ?? createLogPlace(), since, signal });
    yield* followApp({ containers, follow: followOne, news, signal });
  }

  function followed(
    app: string,
    name: ContainerName,
    { place, since, signal }: { place: LogPlace; since: Date | undefined; signal: AbortSignal },
  ): FollowedContainer {
    const key = `${name.uid}/${name.container}`;
    const runs = () => runsOf(pods(app), name);
    const entry = tails.get(key) ?? { tail: openTail(app, name), followers: 0 };
    tails.set(key, entry);
    entry.followers += 1;
    const { tail } = entry;
    const one = followContainer({ cluster, namespace, name, runs, place, tail, since, signal, inTurn });
    return {
      ...one,
      leave() {
        one.leave();
        entry.followers -= 1;
        if (entry.followers > 0) return;
        tail.close();
        tails.delete(key);
      },
    };
  }

  function openTail(app: string, name: ContainerName): LogTail {
    const { changes, news } = notifiersOf(app);
    return createLogTail({
      cluster,
      namespace,
      name,
      runs: () => runsOf(pods(app), name),
      changes,
      onNews: news.notify,
      onTrouble: (error) => log.warn("a log was interrupted", { app, pod: name.pod, why: messageOf(error) }),
    });
  }

  function notifiersOf(app: string) {
    const known = notifiers.get(app) ?? { changes: createNotifier(), news: createNotifier() };
    notifiers.set(app, known);
    return known;
  }

  return {
    check,
    read,
    changed(app) {
      notifiers.get(app)?.changes.notify();
      notifiers.get(app)?.news.notify();
    },
    tails: () => tails.size,
  };
}

/** Who follows comes back to the rest. */
async function* untilBroken(lines: AsyncGenerator<LogLine>): AsyncGenerator<LogLine> {
  try {
    yield* lines;
  } catch (error) {
    if (!isClusterError(error)) throw error;
  }
}

async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = sleep(longestReadMs, "late" as const, { ref: false });
  const done = await Promise.race([work, late, aborted(signal)]);
  if (done === "late" || done === undefined) {
    work.catch(() => {}); // nobody waits for it any more
    throw new AetherError("service_unavailable", "The cluster did not give the log in time.", {
      hint: "Ask for fewer lines, or try again in a moment.",
    });
  }
  return done;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
