import { setTimeout as sleep } from "node:timers/promises";

export interface Poller {
  name: string;
  everyMs: number;
  /** Waits a period before the first tick. */
  later?: boolean;
  tick(signal: AbortSignal): Promise<void>;
}

/** One tick at a time until `signal` aborts. A failed tick is reported and backed off, never fatal. */
export async function runPoller(poller: Poller, signal: AbortSignal, report: (error: unknown) => void): Promise<void> {
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {}); // aborted: the loop condition ends it
  if (poller.later) await pause(poller.everyMs);
  for (let failures = 0; !signal.aborted; ) {
    try {
      await poller.tick(signal);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!signal.aborted) report(error);
    }
    await pause(poller.everyMs * Math.min(2 ** failures, 32));
  }
}
