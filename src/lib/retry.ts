import { setTimeout as sleep } from "node:timers/promises";

export interface RetryOptions {
  /** How often `work` is tried at most. */
  attempts: number;
  /** Beyond `attempts`, `work` is tried until this much time has passed, at least every two seconds. */
  patienceMs?: number;
  signal?: AbortSignal;
  shouldRetry: (error: unknown) => boolean;
  /** Told before each wait. */
  onRetry?: (error: unknown, attempt: number) => void;
  firstDelayMs?: number;
  /** How long the other side asked to wait before it is tried again; jitter is added to it. */
  askedDelayMs?: (error: unknown) => number | undefined;
  /** Between 0 and 1; for tests. */
  random?: () => number;
}

/** Repeats `work` with exponential back-off and full jitter; the last error is thrown as it is. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const { attempts, patienceMs = 0, signal, shouldRetry, onRetry, firstDelayMs = 200 } = options;
  const { askedDelayMs, random = Math.random } = options;
  const patientUntil = performance.now() + patienceMs;
  const longestDelayMs = patienceMs > 0 ? 2_000 : 10_000;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      const isOver = attempt >= attempts && performance.now() >= patientUntil;
      if (isOver || !shouldRetry(error)) throw error;
      onRetry?.(error, attempt);
      const backOffMs = Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * (0.5 + random() / 2);
      const asked = askedDelayMs?.(error);
      await sleep(
        asked === undefined ? backOffMs : asked * (1 + random() / 2),
        undefined,
        signal ? { signal } : {},
      ).catch(() => {
        throw signal?.reason ?? error;
      });
    }
  }
}
