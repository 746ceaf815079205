import { expect, test } from "bun:test";
import { breathing } from "../../src/lib/breathing.ts";

test("a loop that never waits lets others have a turn after every 16 MB", async () => {
  async function* chunks() {
    for (let at = 0; at < 40; at += 1) yield new Uint8Array(1_000_000).fill(at);
  }
  const seen: number[] = [];
  const turns: number[] = [];
  for await (const chunk of breathing(chunks())) {
    if (seen.length === 0) setImmediate(() => turns.push(seen.length));
    seen.push(chunk[0] ?? -1);
  }
  expect(seen).toEqual(Array.from({ length: 40 }, (_, at) => at));
  expect(turns).toEqual([16]);
});
