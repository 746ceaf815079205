import type { LogLine } from "../../../core/log-line.ts";
import type { LogPlace, LogReplay } from "../../../core/log-place.ts";
import type { Cluster } from "../../../k8s/cluster.ts";
import type { ContainerName, ContainerRuns } from "./container-runs.ts";
import type { LogTail, TailReader } from "./log-tail.ts";
import { gap, readContainer } from "./read-container.ts";

export interface FollowedOptions {
  cluster: Cluster;
  namespace: string;
  name: ContainerName;
  runs: () => ContainerRuns | undefined;
  /** What was taken already. */
  place: LogPlace;
  tail: LogTail;
  since: Date | undefined;
  signal: AbortSignal;
  /** Readings of whole logs wait for each other. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** One container as one follower sees it. */
export interface FollowedContainer {
  /** The next lines, as many as are there at once; none: wait for news. */
  take(): Promise<LogLine[]>;
  /** It was taken to its end. */
  isOver(): boolean;
  leave(): void;
}

/** As many lines and characters are read at once for a follower that is behind. */
const page = { lines: 1_000, characters: 512 * 1024, withinMs: 30_000 };

/**
 * Who comes, and who was left behind, reads the container's own log until that has no more, and then goes on with the tail
 * that all share: it began before that reading, so there is nothing in between.
 */
export function followContainer(options: FollowedOptions): FollowedContainer {
  const { cluster, namespace, name, runs, place, tail, since, signal, inTurn } = options;
  const earliest = since?.toISOString().slice(0, -1) ?? "";
  let joined: { reader: TailReader; replay: LogReplay } | undefined;
  let isOver = false;
  let wasLeftBehind = false;

  async function catchUp(): Promise<LogLine[]> {
    const known = runs();
    const { isAnchored, dropped } = tail;
    const lines: LogLine[] = [];
    if (known === undefined) {
      isOver = true;
      return wasLeftBehind ? [gap(name, place.newest ?? "", "the pod went before its last lines were read")] : [];
    }
    let characters = 0;
    const hanging = AbortSignal.timeout(page.withinMs);
    const reading = AbortSignal.any([signal, hanging]);
    const log = { cluster, namespace, name, runs: known };
    let isPartial = false;
    for await (const line of readContainer(log, place, { signal: reading, since })) {
      lines.push(line);
      characters += line.line.length;
      isPartial = lines.length >= page.lines || characters >= page.characters;
      if (isPartial) break;
    }
    if (!isPartial && !reading.aborted && isAnchored && tail.dropped === dropped) {
      wasLeftBehind = false;
      joined = { reader: tail.join(), replay: place.replay() };
    }
    return lines;
  }

  /** From the tail; undefined when it went on without us. */
  function next({ reader, replay }: NonNullable<typeof joined>): LogLine[] | undefined {
    return reader
      .take()
      ?.filter(({ time, gap }) => (gap ? time > (place.newest ?? "") : time >= earliest && replay.take(time)));
  }

  return {
    async take() {
      const ended = tail.isOver;
      const lines = joined && next(joined);
      if (lines === undefined) {
        wasLeftBehind ||= joined !== undefined;
        joined = undefined;
        return tail.isAnchored || ended ? await inTurn(catchUp) : [];
      }
      isOver = ended;
      return lines;
    },
    isOver: () => isOver,
    leave: () => joined?.reader.leave(),
  };
}
