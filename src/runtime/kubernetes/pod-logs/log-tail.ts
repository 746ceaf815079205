import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine } from "../../../core/log-line.ts";
import { createLogPlace } from "../../../core/log-place.ts";
import type { Cluster } from "../../../k8s/cluster.ts";
import { createNotifier, type Notifier } from "../../../lib/notifier.ts";
import type { ContainerName, ContainerRuns } from "./container-runs.ts";
import { readContainer } from "./read-container.ts";

/** What a container writes from now on, read once for all who follow it. */
export interface LogTail {
  /** It was read where the log ended: from then on nothing is missing but what was dropped. */
  readonly isAnchored: boolean;
  /** How many of the oldest lines had to go. */
  readonly dropped: number;
  /** Nothing comes any more. */
  readonly isOver: boolean;
  /** A place among the lines. While it is near, the log waits for it; whoever stays behind loses it. */
  join(): TailReader;
  close(): void;
}

export interface TailReader {
  /** The lines that came meanwhile; undefined when lines behind this place were dropped. */
  take(): LogLine[] | undefined;
  leave(): void;
}

export interface TailOptions {
  cluster: Cluster;
  namespace: string;
  name: ContainerName;
  /** As they are known now; undefined when the pod is gone. */
  runs: () => ContainerRuns | undefined;
  /** Something of the pods changed. */
  changes: Notifier;
  /** There are new lines, or the end. */
  onNews: () => void;
  onTrouble: (error: unknown) => void;
}

export const tailLimits = {
  lines: 2_000,
  characters: 1024 ** 2,
  /** How long the log waits for a reader that is behind. */
  patienceMs: 1_000,
  /** A stream that was silent for so long is opened anew: nobody tells us when the other side has vanished. */
  silenceMs: 120_000,
  /** A pod that is gone has said its last words by then. */
  goneMs: 10_000,
};

/** Where the log ends is not a line but a few: the newest is not always the last. */
export const anchorLines = 20;

const endKnownMs = 5_000;
const delays = { first: 100, longest: 5_000 };

/** Begins to read; until `close`, broken streams are taken up again where they broke. */
export function createLogTail({ cluster, namespace, name, runs, changes, onNews, onTrouble }: TailOptions): LogTail {
  const closing = new AbortController();
  const { signal } = closing;
  const place = createLogPlace();
  const readers = new Set<{ at: number }>();
  const progress = createNotifier();
  const lines: LogLine[] = [];
  let characters = 0;
  let dropped = 0;
  let isAnchored = false;
  let isOver = false;

  async function run(): Promise<void> {
    for (let delayMs = delays.first; !signal.aborted; delayMs = Math.min(delays.longest, delayMs * 2)) {
      const changed = changes.next();
      const before = runs();
      if (before === undefined) break;
      const hasCome = await readOn(before).catch((error: unknown) => {
        if (!signal.aborted) onTrouble(error);
        return false;
      });
      if (hasCome) delayMs = delays.first;
      if (signal.aborted) break;
      await Promise.race([sleep(place.isWhole ? delays.longest : delayMs, undefined, { ref: false }), changed]);
    }
    isOver = true;
    onNews();
  }

  /** Until the stream ends. */
  async function readOn(before: ContainerRuns): Promise<boolean> {
    const silence = watchSilence();
    let hasCome = false;
    try {
      const isFirst = place.newest === undefined;
      const log = { cluster, namespace, name, runs: before };
      const hasEnded = () => isKnownToEnd(before);
      const options = {
        follow: true,
        hasEnded,
        ...(isFirst ? { tailLines: anchorLines, of: "current" as const } : {}),
      };
      for await (const line of readContainer(log, place, { ...options, signal: silence.signal })) {
        hasCome = true;
        silence.heard();
        await add(line);
      }
      place.isWhole = !silence.signal.aborted && isEnded(before);
      return hasCome;
    } finally {
      silence.end();
    }
  }

  const isEnded = (before: ContainerRuns): boolean => {
    const now = runs();
    return now === undefined || now.isOver || now.run !== before.run;
  };

  /** The stream tells it first, and the pod's status soon. */
  async function isKnownToEnd(before: ContainerRuns): Promise<boolean> {
    const late = sleep(endKnownMs, "late" as const, { ref: false });
    while (!isEnded(before) && !signal.aborted) {
      if ((await Promise.race([changes.next(), late])) === "late") return isEnded(before);
    }
    return !signal.aborted;
  }

  function watchSilence() {
    const silent = new AbortController();
    let timer: Timer | undefined;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), tailLimits.silenceMs);
    };
    const watching = setInterval(() => {
      if (runs() !== undefined) return;
      clearInterval(watching);
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), tailLimits.goneMs);
    }, 1_000);
    heard();
    return {
      signal: AbortSignal.any([signal, silent.signal]),
      heard,
      end() {
        clearTimeout(timer);
        clearInterval(watching);
      },
    };
  }

  async function add(line: LogLine): Promise<void> {
    while (lines.length >= tailLimits.lines || characters + line.line.length > tailLimits.characters) {
      if (lines.length === 0) break;
      await waitForReaders();
      drop();
    }
    lines.push(line);
    characters += line.line.length;
    isAnchored = true;
    onNews();
  }

  /** A flood is held up while those who follow it come along; who does not is left behind. */
  async function waitForReaders(): Promise<void> {
    const isBehind = () => [...readers].some(({ at }) => at === dropped);
    if (!isBehind()) return;
    const patience = sleep(tailLimits.patienceMs, "over" as const, { ref: false });
    while (isBehind() && !signal.aborted) {
      if ((await Promise.race([progress.next(), patience])) === "over") return;
    }
  }

  function drop(): void {
    characters -= lines.shift()?.line.length ?? 0;
    dropped += 1;
    for (const reader of readers) if (reader.at < dropped) readers.delete(reader);
  }

  void run();
  return {
    get isAnchored() {
      return isAnchored;
    },
    get dropped() {
      return dropped;
    },
    get isOver() {
      return isOver;
    },
    join() {
      const reader = { at: dropped };
      readers.add(reader);
      return {
        take() {
          if (reader.at < dropped) return undefined;
          const taken = lines.slice(reader.at - dropped);
          reader.at = dropped + lines.length;
          progress.notify();
          return taken;
        },
        leave() {
          readers.delete(reader);
          progress.notify();
        },
      };
    },
    close() {
      closing.abort();
      progress.notify();
    },
  };
}
