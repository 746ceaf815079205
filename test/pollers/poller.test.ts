import { expect, test } from "bun:test";
import { runPollers } from "../../src/pollers/index.ts";
import type { Poller } from "../../src/pollers/poller.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { waitFor } from "../harness/wait-for.ts";

function start(list: Poller[]) {
  const lines: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => void lines.push(line) });
  const stopping = new AbortController();
  const polling = runPollers(list, { log }, stopping.signal);
  return { lines: () => lines.map((line) => JSON.parse(line)), stopping, polling };
}

test("a stop waits for a tick no longer than its grace, and says which pollers were left", async () => {
  const asked = Promise.withResolvers<void>();
  const silent: Poller = {
    name: "silent",
    everyMs: 1000,
    tick: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  };
  const quick: Poller = { name: "quick", everyMs: 1000, tick: async () => {} };
  const { lines, stopping, polling } = start([silent, quick]);
  await asked.promise;
  stopping.abort();
  await polling.end(50);
  expect(lines()).toMatchObject([
    { level: "warn", message: "stopped before all pollers had ended", pollers: ["silent"] },
  ]);
});

test("a tick is told to stop, and one that heeds it is waited for", async () => {
  const asked = Promise.withResolvers<void>();
  let hasEnded = false;
  const heedful: Poller = {
    name: "heedful",
    everyMs: 1000,
    async tick(signal) {
      asked.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      hasEnded = true;
    },
  };
  const { lines, stopping, polling } = start([heedful]);
  await asked.promise;
  stopping.abort();
  await polling.end(30_000);
  expect([hasEnded, lines()]).toEqual([true, []]);
});

test("a poller that waits before its first tick does not wait a whole period", async () => {
  let ticks = 0;
  const tick = async () => {
    ticks += 1;
  };
  const soon: Poller = { name: "soon", everyMs: 3_600_000, firstMs: 20, tick };
  const { stopping, polling } = start([soon]);
  await waitFor("the first tick", () => ticks === 1);
  stopping.abort();
  await polling.end(1000);
});
