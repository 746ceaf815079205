import { expect, test } from "bun:test";
import { join } from "node:path";
import { createLogWriter } from "../../../src/agent/log-writer.ts";
import type { LogLine, LogQuery } from "../../../src/core/log-line.ts";
import { readLogs } from "../../../src/runtime/local/logs.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { waitFor } from "../../harness/wait-for.ts";

const never = new AbortController().signal;

async function linesOf(folder: string, query: LogQuery = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const { line } of readLogs(folder, query, never)) lines.push(line);
  return lines;
}

/** Follows until `signal` aborts. */
function follow(folder: string, query: LogQuery, signal: AbortSignal) {
  const lines: LogLine[] = [];
  const ended = (async () => {
    for await (const line of readLogs(folder, { ...query, follow: true }, signal)) lines.push(line);
  })();
  return { lines, ended };
}

test("an application that never ran has no lines", async () => {
  await using folder = await temporaryFolder();
  expect(await linesOf(join(folder.path, "none"))).toEqual([]);
});

test("lines of all replicas and releases come by time", async () => {
  await using folder = await temporaryFolder();
  const a = createLogWriter(join(folder.path, "v1-1", "shop-v1-0"), "shop-v1-0");
  const b = createLogWriter(join(folder.path, "v2-2", "shop-v2-0"), "shop-v2-0");
  for (let i = 0; i < 4; i += 1) {
    (i % 2 ? a : b).write("stdout", [`line ${i}`]);
    await Bun.sleep(2); // times have milliseconds
  }
  expect(await linesOf(folder.path)).toEqual(["line 0", "line 1", "line 2", "line 3"]);
  expect(await linesOf(folder.path, { tailLines: 3 })).toEqual(["line 1", "line 2", "line 3"]);
  expect(await linesOf(folder.path, { tailLines: 0 })).toEqual([]);
});

test("only lines from `since` on are given", async () => {
  await using folder = await temporaryFolder();
  const log = createLogWriter(join(folder.path, "v1-1", "shop-v1-0"), "shop-v1-0");
  log.write("stdout", ["before"]);
  await Bun.sleep(5);
  const since = new Date();
  log.write("stdout", ["after"]);
  expect(await linesOf(folder.path, { since })).toEqual(["after"]);
  expect(await linesOf(folder.path, { since, tailLines: 10 })).toEqual(["after"]);
});

test("a reader that follows over the rotation of segments gets every line once", async () => {
  await using folder = await temporaryFolder();
  const ending = new AbortController();
  const { lines, ended } = follow(folder.path, {}, ending.signal);
  const log = createLogWriter(join(folder.path, "v1-1", "shop-v1-0"), "shop-v1-0");
  const filler = "x".repeat(10_000);
  for (let i = 0; i < 1_500; i += 1) {
    log.write("stdout", [`${i} ${filler}`]);
    if (i % 50 === 0) await waitFor("the reader to keep up", () => lines.length >= i);
  }
  await waitFor("the last line", () => lines.length >= 1_500);
  ending.abort();
  await ended;
  expect(lines.map((line) => Number.parseInt(line.line, 10))).toEqual(Array.from({ length: 1_500 }, (_, i) => i));
}, 180_000);

test("only the last segments are kept, and a tail over them is whole", async () => {
  await using folder = await temporaryFolder();
  const log = createLogWriter(join(folder.path, "v1-1", "shop-v1-0"), "shop-v1-0");
  const filler = "x".repeat(16_000);
  for (let i = 0; i < 3_000; i += 1) log.write("stdout", [`${i} ${filler}`]);
  const tail = await linesOf(folder.path, { tailLines: 700 });
  expect(tail.map((line) => Number.parseInt(line, 10))).toEqual(Array.from({ length: 700 }, (_, i) => 2_300 + i));
  expect((await linesOf(folder.path)).length).toBeLessThan(1_700);
});

test("a follower sees the replicas of the next release, and ends when it is told to", async () => {
  await using folder = await temporaryFolder();
  const ending = new AbortController();
  const old = createLogWriter(join(folder.path, "v1-1", "shop-v1-0"), "shop-v1-0");
  old.write("stdout", ["one", "two"]);
  const { lines, ended } = follow(folder.path, { tailLines: 1 }, ending.signal);
  await waitFor("the tail", () => lines.length === 1);
  createLogWriter(join(folder.path, "v2-2", "shop-v2-0"), "shop-v2-0").write("stderr", ["three"]);
  await waitFor("the next release", () => lines.length === 2);
  ending.abort();
  await ended;
  expect(lines.map((line) => [line.pod, line.stream, line.line])).toEqual([
    ["shop-v1-0", "stdout", "two"],
    ["shop-v2-0", "stderr", "three"],
  ]);
});
