import { setTimeout as sleep } from "node:timers/promises";

export interface Poller {
  name: string;
  everyMs: number;
  /** Waits about so long before the first tick, so that servers that start together do not all do it at once. */
  firstMs?: number;
  tick(signal: AbortSignal): Promise<void>;
}

const longestBackOffMs = 300_000;

/** One tick at a time until `signal` aborts. A failed tick is reported and backed off, never fatal. */
export async function runPoller(poller: Poller, signal: AbortSignal, report: (error: unknown) => void): Promise<void> {
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {}); // aborted: the loop condition ends it
  if (poller.firstMs !== undefined) await pause(poller.firstMs * (0.5 + Math.random() / 2));
  for (let failures = 0; !signal.aborted; ) {
    try {
      await poller.tick(signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!signal.aborted) report(error);
    }
    await pause(Math.min(poller.everyMs * 2 ** Math.min(failures, 5), Math.max(poller.everyMs, longestBackOffMs)));
  }
}
