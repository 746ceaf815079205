import { setTimeout as sleep } from "node:timers/promises";
import type { LogLine } from "../../../core/log-line.ts";
import { isClusterError } from "../../../k8s/cluster-error.ts";
import type { Notifier } from "../../../lib/notifier.ts";
import type { ContainerName } from "./container-runs.ts";
import type { FollowedContainer } from "./followed-container.ts";

export interface FollowAppOptions {
  /** The containers that are there now. */
  containers: () => ContainerName[];
  follow: (name: ContainerName) => FollowedContainer;
  /** A container came or went, or one has written. */
  news: Notifier;
  signal: AbortSignal;
}

/** While the API server is away. */
const retryMs = 500;

/** What all containers write, as it comes; pods that come later join, those that went are waited for no more. */
export async function* followApp({ containers, follow, news, signal }: FollowAppOptions): AsyncGenerator<LogLine> {
  const followed = new Map<string, FollowedContainer>();
  const over = new Set<string>();
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  try {
    while (!signal.aborted) {
      const changed = news.next();
      for (const name of containers()) {
        const key = `${name.uid}/${name.container}`;
        if (!followed.has(key) && !over.has(key)) followed.set(key, follow(name));
      }
      let isAway = false;
      const taken = await Promise.all(
        [...followed.values()].map((one) =>
          one.take().catch((error: unknown) => {
            if (!isClusterError(error)) throw error;
            isAway = true; // its tail has told the log why
            return [];
          }),
        ),
      );
      for (const [key, one] of followed) {
        if (!one.isOver()) continue;
        one.leave();
        followed.delete(key);
        over.add(key);
      }
      const lines = taken.flat();
      if (taken.length > 1) lines.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
      yield* lines;
      if (lines.length > 0) continue;
      await Promise.race([changed, aborted, ...(isAway ? [sleep(retryMs, undefined, { ref: false })] : [])]);
    }
  } finally {
    for (const one of followed.values()) one.leave();
  }
}
