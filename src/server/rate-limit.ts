import type { RateLimit } from "../config/server.ts";

const capacity = 10_000;

/**
 * Counts so many in so many seconds for each key, and gives back slowly what was used (GCRA: of each key only the time is
 * kept at which it will have all back). Answers 0 when one more may pass, else the milliseconds until it may.
 */
export function createRateLimit({ requests, seconds }: RateLimit): (key: string, now: number) => number {
  const fullAt = new Map<string, number>();
  const windowMs = seconds * 1000;
  const eachMs = windowMs / requests;

  return (key, now) => {
    const kept = fullAt.get(key) ?? now;
    // A clock that was set back must not lock anyone out for as long.
    const next = Math.max(now, Math.min(kept, now + windowMs)) + eachMs;
    const waitMs = next - now - windowMs;
    if (waitMs > 1e-6) return waitMs;
    fullAt.delete(key); // the order of insertion is then that of use
    if (fullAt.size >= capacity) makeRoom(fullAt, now);
    fullAt.set(key, next);
    return 0;
  };
}

/** Keys that have all back are as good as none; else the one that was idle longest goes. */
function makeRoom(fullAt: Map<string, number>, now: number): void {
  for (const [key, at] of fullAt) if (at <= now) fullAt.delete(key);
  const [idle] = fullAt.keys();
  if (idle !== undefined && fullAt.size >= capacity) fullAt.delete(idle);
}
