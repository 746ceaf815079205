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
    // A clock that was set back must lock nobody out for as long.
    const used = Math.min(fullAt.get(key) ?? now, now + windowMs);
    const next = Math.max(now, used) + eachMs;
    const waitMs = next - now - windowMs;
    const passes = waitMs < 1e-6;
    fullAt.delete(key); // the order of insertion is then that of use
    fullAt.set(key, passes ? next : used);
    const [idle] = fullAt.keys();
    if (fullAt.size > capacity && idle !== undefined) fullAt.delete(idle);
    return passes ? 0 : waitMs;
  };
}
