import type { LogLine } from "../../../core/log-line.ts";
import type { LogPlace } from "../../../core/log-place.ts";
import type { Cluster, PodLogOptions } from "../../../k8s/cluster.ts";
import { isClusterError } from "../../../k8s/cluster-error.ts";
import type { ContainerName, ContainerRuns } from "./container-runs.ts";

export interface ContainerLog {
  cluster: Cluster;
  namespace: string;
  name: ContainerName;
  /** As they are known now. */
  runs: ContainerRuns;
}

export interface ReadOptions {
  signal: AbortSignal;
  follow?: boolean;
  since?: Date | undefined;
  tailLines?: number | undefined;
  /** Which runs are read: all that the kubelet keeps, this one or the one before. */
  of?: "all" | "current" | "previous";
  /** Whether the run that was followed has ended: then its last line counts, also without its end. */
  hasEnded?: () => Promise<boolean>;
}

/**
 * What of a container's output lies behind `place`, which goes along: the rest of the run before, then this one. The kubelet
 * tells neither which run it reads from nor what it threw away; both show in the times of the lines. A line in its place
 * says where lines are missing.
 */
export async function* readContainer(
  log: ContainerLog,
  place: LogPlace,
  { signal, follow = false, since, tailLines, of = "all", hasEnded = async () => log.runs.isOver }: ReadOptions,
): AsyncGenerator<LogLine> {
  const { name, runs } = log;
  const from = place.newest;
  const lost = lostRuns(runs, place);
  const sinceTime = place.resumeAt ?? since?.toISOString();
  const earliest = since?.toISOString().slice(0, -1) ?? "";
  // What comes after a run that was read to its end is another run: where reading stopped is not in it.
  let hasMet = false;
  let isGapTold = from === undefined || (place.isWhole && place.run !== runs.run);
  let hasReadPrevious = of !== "all";
  place.run = runs.run;
  place.isWhole = false;

  async function* part(options: PodLogOptions, isLast: () => Promise<boolean>): AsyncGenerator<LogLine> {
    const asked = {
      ...(sinceTime ? { sinceTime } : {}),
      ...(tailLines === undefined ? {} : { tailLines }),
      ...options,
    };
    hasReadPrevious ||= options.previous === true;
    // Anew for each part: both may turn out to be the same run.
    const replay = place.replay();
    let isFirst = true;
    for await (const line of timedLines(log, asked, { signal, isLast })) {
      if (isFirst && tailLines !== undefined) place.skipBefore(line.time);
      isFirst = false;
      // The kubelet may be a run further than the pod's status: then where reading stopped is in the one before.
      const isBeyond = from !== undefined && line.time > from && !hasMet && !isGapTold;
      if (isBeyond && !hasReadPrevious) yield* part({ previous: true }, async () => true);
      const isNew = replay.take(line.time);
      hasMet ||= replay.hasMet;
      if (line.time < earliest || !isNew) continue;
      if (isBeyond && !isGapTold && !hasMet) yield gap(name, line.time, `lines after ${from} are no longer kept`);
      isGapTold ||= isBeyond;
      yield line;
    }
  }

  if (lost > 0) {
    isGapTold = true;
    yield gap(name, afterwards(from ?? ""), `the output of ${lost} of its runs is no longer kept`);
  }
  const { previous } = runs;
  if (previous && of !== "current" && previous.finishedAt.slice(0, 19) >= (from ?? "").slice(0, 19)) {
    yield* part({ previous: true }, async () => true);
  }
  if (of !== "previous") yield* part(follow ? { follow } : {}, hasEnded);
}

/** How many runs lie between the one that was read last and those that are kept. */
function lostRuns({ run, startedAt, previous }: ContainerRuns, { newest, run: known }: LogPlace): number {
  if (newest === undefined || known === undefined) return 0;
  const kept = [startedAt, previous?.startedAt].filter((start) => start !== undefined);
  if (kept.some((start) => start.slice(0, 19) <= newest.slice(0, 19))) return 0;
  return Math.max(0, run - known - (previous ? 2 : 1));
}

/** Stands where lines are missing. */
export const gap = ({ pod, container }: ContainerName, time: string, line: string): LogLine => ({
  time,
  pod,
  container,
  line,
  gap: true,
});

/** The next nanosecond, near enough. */
const afterwards = (time: string): string => `${time.slice(0, -1)}1Z`;

async function* timedLines(
  { cluster, namespace, name }: ContainerLog,
  options: PodLogOptions,
  { signal, isLast }: { signal: AbortSignal; isLast: () => Promise<boolean> },
): AsyncGenerator<LogLine> {
  const { pod, container } = name;
  let time: string | undefined;
  /** A piece: of a long line, when more of it comes; else it may have been cut off. */
  let piece: LogLine | undefined;
  try {
    const asked = { ...options, container, timestamps: true, keepEnds: true };
    for await (const text of await cluster.logs({ namespace, name: pod }, asked, signal)) {
      if (piece) yield piece;
      const isWhole = text.endsWith("\n");
      const parsed = parse(isWhole ? text.slice(0, -1) : text);
      time = parsed?.time ?? time;
      if (time === undefined) continue; // the kubelet's own word: why it has no log
      const line: LogLine = { time, pod, container, line: parsed?.line ?? text.replace(/\n$/, "") };
      piece = isWhole ? undefined : line;
      if (isWhole) yield line;
    }
    if (piece && (await isLast())) yield piece;
  } catch (error) {
    if (signal.aborted) return;
    // Not started yet, no run before, or gone meanwhile: it has no lines.
    if (!isClusterError(error, "invalid") && !isClusterError(error, "not_found")) throw error;
  }
}

function parse(text: string): { time: string; line: string } | undefined {
  const [, seconds, fraction = "", zone = "", line = ""] = stamped.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const utc = zone === "Z" ? seconds : new Date(seconds + zone).toISOString().slice(0, 19);
  return { time: `${utc}.${fraction.padEnd(9, "0")}Z`, line };
}

const stamped = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: (.*))?$/s;
