/** Work that is done again whenever it is due, never twice at once. */
export interface Worker {
  /** It is due, now or so much later; an earlier time counts. */
  wake(afterMs?: number): void;
  /** It is due, but somebody may undo it again and again: more and more seldom, then. */
  wakeGently(): void;
  /** Whether it will be done again at once. */
  isDue(): boolean;
  isBusy(): boolean;
  ended(): Promise<void>;
}

const longestMs = 30_000;
const calmMs = 60_000;

/** `work` that throws is tried again, more and more seldom, until `signal` ends it. */
export function createWorker(work: () => Promise<void>, signal: AbortSignal): Worker {
  let isDue = false;
  let running: Promise<void> | undefined;
  let timer: { at: number; handle: ReturnType<typeof setTimeout> } | undefined;
  let failures = 0;
  let gentle = { at: Number.NEGATIVE_INFINITY, delayMs: 0 };
  signal.addEventListener("abort", () => clearTimeout(timer?.handle), { once: true });

  async function run(): Promise<void> {
    while (isDue && !signal.aborted) {
      isDue = false;
      try {
        await work();
        failures = 0;
      } catch {
        failures += 1; // `work` has told of it
        wake(Math.min(longestMs, 250 * 2 ** failures) * (0.75 + Math.random() / 2));
      }
    }
    running = undefined;
  }

  function wake(afterMs = 0): void {
    if (signal.aborted) return;
    if (afterMs > 0) {
      wakeLater(afterMs);
      return;
    }
    isDue = true;
    running ??= Promise.resolve().then(run);
  }

  function wakeLater(afterMs: number): void {
    const at = performance.now() + afterMs;
    if (timer && timer.at <= at) return;
    clearTimeout(timer?.handle);
    const handle = setTimeout(() => {
      timer = undefined;
      wake();
    }, afterMs);
    timer = { at, handle };
  }

  return {
    wake,
    wakeGently() {
      const now = performance.now();
      if (isDue || now < gentle.at + gentle.delayMs) return; // that is on its way: one edit is seen in several steps
      const isCalm = now - gentle.at > calmMs;
      gentle = { at: now, delayMs: isCalm ? 0 : Math.min(longestMs, Math.max(1_000, gentle.delayMs * 2)) };
      wake(gentle.delayMs);
    },
    isDue: () => isDue,
    isBusy: () => running !== undefined,
    ended: async () => {
      await running;
    },
  };
}
