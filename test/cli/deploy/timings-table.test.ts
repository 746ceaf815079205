import { expect, test } from "bun:test";
import { timingsTable } from "../../../src/cli/deploy/timings-table.ts";
import { slowest, stageNames, toTimings } from "../../../src/core/replica-stages.ts";

test("the stages are told in their order, and only those that there were", () => {
  const shown = timingsTable({ total_ms: 900, ready_ms: 40, detect_ms: 3, create_ms: 12_345 });
  expect(shown.split("\n").map((line) => line.split(/\s+/).slice(0, 2).join(" "))).toEqual([
    "STAGE MS",
    "detect 3",
    "create 12345",
    "ready 40",
    "total 900",
    "",
  ]);
});

test("every stage of a replica has its line", () => {
  const all = toTimings(Object.fromEntries(stageNames.map((name) => [name, 1])));
  for (const name of stageNames) expect(timingsTable(all as Record<string, number>)).toContain(`\n${name}`);
});

test("of several replicas the slowest counts, in each stage", () => {
  expect(slowest([{ fetch_ms: 5, ready_ms: 0 }, { fetch_ms: 4, unpack_ms: 7 }, {}])).toEqual({
    fetch_ms: 5,
    unpack_ms: 7,
    ready_ms: 0,
  });
  expect(slowest([])).toEqual({});
});

test("the API writes whole milliseconds, and none below zero", () => {
  expect(toTimings({ boot: -3.2, fetch: 1.6 })).toEqual({ boot_ms: 0, fetch_ms: 2 });
});
