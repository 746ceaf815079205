import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine, LogQuery } from "../../core/log-line.ts";
import { podContainers } from "../../core/pod-agent.ts";
import type { Cluster, PodLogOptions } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";
import type { LogPlace } from "./cause.ts";
import type { Pod } from "./world.ts";

export interface PodLogs {
  cluster: Cluster;
  namespace: string;
  /** The application's pods now. */
  pods: () => Pod[];
}

/** The lines of all the application's pods, by their time; with `follow`, then what each writes as it comes. */
export async function* readPodLogs(
  { cluster, namespace, pods }: PodLogs,
  { tailLines, since, follow = false }: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const options = {
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(since === undefined ? {} : { sinceTime: since.toISOString() }),
  };
  const names = pods().map(({ metadata }) => metadata?.name ?? "");
  const read = (pod: string, more: PodLogOptions) =>
    linesOf(cluster, { namespace, pod, options: { ...options, ...more, container: podContainers.app } }, signal);
  if (follow) return yield* merged(names.map((name) => read(name, { follow })));
  const all = await Promise.all(names.map((name) => Array.fromAsync(read(name, {}))));
  const sorted = all.flat().sort((one, other) => (one.time < other.time ? -1 : 1));
  yield* tailLines === undefined ? sorted : tailLines === 0 ? [] : sorted.slice(-tailLines);
}

/** The last lines of one container, without their times. */
export async function lastLines(
  cluster: Cluster,
  { namespace, place, count }: { namespace: string; place: LogPlace; count: number },
): Promise<string[]> {
  const { pod, container } = place;
  // A container that crashes again and again is another one by the time it is asked for: then the other run is tried.
  for (let attempt = 0; ; attempt += 1) {
    const isLast = attempt >= 5;
    const previous = attempt % 2 === 0 ? place.previous : !place.previous;
    const options = { container, tailLines: count, ...(previous ? { previous } : {}) };
    try {
      const lines = await cluster.logs({ namespace, name: pod }, options, AbortSignal.timeout(5_000));
      const all = await Array.fromAsync(lines);
      if (!all.some((line) => lost.test(line))) return all;
      if (isLast) return [];
    } catch (error) {
      if (isLast || !isClusterError(error, "invalid")) throw error;
    }
    await sleep(200);
  }
}

/** What the kubelet answers, as if it were the log. */
const lost = /^unable to retrieve container logs for /;

async function* linesOf(
  cluster: Cluster,
  { namespace, pod, options }: { namespace: string; pod: string; options: PodLogOptions },
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const { container = "" } = options;
  try {
    for await (const line of await cluster.logs({ namespace, name: pod }, { ...options, timestamps: true }, signal)) {
      const [, time = "", text = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
      yield { time: new Date(time).toISOString(), pod, container, stream: "stdout", line: text };
    }
  } catch (error) {
    // Not started yet, or gone meanwhile: it has no lines.
    if (!isClusterError(error, "invalid") && !isClusterError(error, "not_found")) throw error;
  }
}

/** Each line as it comes, until all have ended. */
async function* merged(sources: AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const step = (source: AsyncGenerator<LogLine>) => source.next().then((result) => ({ source, result }));
  const steps = new Map(sources.map((source) => [source, step(source)]));
  while (steps.size > 0) {
    const { source, result } = await Promise.race(steps.values());
    if (result.done) steps.delete(source);
    else {
      steps.set(source, step(source));
      yield result.value;
    }
  }
}
