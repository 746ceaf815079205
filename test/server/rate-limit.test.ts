import { expect, test } from "bun:test";
import { createRateLimit } from "../../src/server/rate-limit.ts";

test.each([
  [600, 60],
  [3, 1],
  [7, 10],
  [1, 3600],
])("%d in %d s: so many pass at once, then one after each pause", (requests, seconds) => {
  const take = createRateLimit({ requests, seconds });
  for (let write = 0; write < requests; write++) expect(take("a", 0)).toBe(0);
  const waitMs = take("a", 0);
  expect(waitMs).toBeCloseTo((seconds * 1000) / requests, 3);
  expect(take("a", waitMs / 2)).toBeGreaterThan(0);
  expect(take("a", waitMs)).toBe(0);
  expect(take("a", waitMs)).toBeGreaterThan(0);
  expect(take("b", waitMs)).toBe(0);
  for (let write = 0; write < requests; write++) expect(take("a", 10 * seconds * 1000)).toBe(0);
});

test("keys without end take memory with an end, and who is waiting is not forgotten for one who is not", () => {
  const take = createRateLimit({ requests: 1, seconds: 60 });
  for (let key = 0; key < 9_999; key++) take(`old ${key}`, 0);
  expect(take("flooder", 59_999)).toBe(0);
  for (let key = 0; key < 9_000; key++) take(`new ${key}`, 60_000);
  expect(take("flooder", 60_000)).toBeGreaterThan(0);
  const before = process.memoryUsage().heapUsed;
  for (let key = 0; key < 300_000; key++) take(`another ${key}`, 60_000);
  Bun.gc(true);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});
