import { expect, test } from "bun:test";
import { createLogPlace } from "../../../src/core/log-place.ts";
import type { Cluster, PodLogOptions } from "../../../src/k8s/cluster.ts";
import type { ContainerRuns } from "../../../src/runtime/kubernetes/pod-logs/container-runs.ts";
import { readContainer } from "../../../src/runtime/kubernetes/pod-logs/read-container.ts";

// A cluster that answers what a real one cannot be made to: logs that were rotated or whose containers were removed.

interface Kept {
  previous?: string[];
  current: string[];
  /** Only the last so many are asked for. */
  tailLines?: number;
}

const at = (second: number, fraction = "0"): string =>
  `2026-01-01T00:00:${String(second).padStart(2, "0")}.${fraction.padStart(9, "0")}Z`;
const whole = (second: number): string => `${at(second).slice(0, 19)}Z`;

/** Reads, and then reads on when the cluster keeps something else. */
async function readTwice(first: [Kept, Partial<ContainerRuns>], second: [Kept, Partial<ContainerRuns>]) {
  const place = createLogPlace();
  const read = async ([kept, known]: [Kept, Partial<ContainerRuns>]) => {
    const logs = async (_pod: unknown, { previous, sinceTime = "", tailLines = Infinity }: PodLogOptions) =>
      (async function* () {
        const lines = (previous ? kept.previous : kept.current) ?? [];
        for (const line of lines.slice(-tailLines)) if (line.slice(0, 19) >= sinceTime.slice(0, 19)) yield line;
      })();
    const cluster = { logs } as unknown as Cluster;
    const name = { pod: "shop-1", uid: "1", container: "app" };
    const runs = { run: 0, startedAt: whole(1), previous: undefined, isOver: false, ...known };
    const signal = new AbortController().signal;
    const log = { cluster, namespace: "apps", name, runs };
    const lines = await Array.fromAsync(readContainer(log, place, { signal, tailLines: kept.tailLines }));
    return lines.map(({ line, gap }) => (gap ? `GAP ${line}` : line));
  };
  const before = await read(first);
  return { before, after: await read(second) };
}

const line = (second: number, text: string, fraction?: string) => `${at(second, fraction)} ${text}\n`;

test("what was read is not given again, nor one of two lines with the same time left out", async () => {
  const lines = [line(2, "one"), line(2, "two"), line(2, "three", "5")];
  const { before, after } = await readTwice(
    [{ current: lines.slice(0, 1) }, {}],
    [{ current: [...lines, line(3, "four")] }, {}],
  );
  expect(before).toEqual(["one"]);
  expect(after).toEqual(["two", "three", "four"]);
});

test("the two outputs are out of order by a little, and nothing is lost by it", async () => {
  const { after } = await readTwice(
    [{ current: [line(2, "a", "1000"), line(2, "c", "3000")] }, {}],
    [{ current: [line(2, "a", "1000"), line(2, "c", "3000"), line(2, "b", "2000"), line(2, "d", "4000")] }, {}],
  );
  expect(after).toEqual(["b", "d"]);
});

test("a line that was written down late, over the turn of a second, is not lost", async () => {
  const newest = line(3, "c", "1000");
  const { after } = await readTwice(
    [{ current: [newest] }, {}],
    [{ current: [newest, line(2, "b", "999999999")] }, {}],
  );
  expect(after).toEqual(["b"]);
});

test("what a tail left out stays left out, and is no gap", async () => {
  const old = { previous: [line(1, "before")], tailLines: 1 };
  const lines = [line(2, "a", "1000"), line(2, "b", "2000"), line(2, "c", "3000")];
  const wasRestarted = { previous: { startedAt: whole(1), finishedAt: whole(1) } };
  const { before, after } = await readTwice(
    [{ ...old, current: lines.slice(0, 2) }, wasRestarted],
    [{ current: lines }, wasRestarted],
  );
  expect(before).toEqual(["before", "b"]);
  expect(after).toEqual(["c"]);
});

test("a log that was rotated away where reading stopped shows a gap", async () => {
  const { after } = await readTwice([{ current: [line(2, "one")] }, {}], [{ current: [line(9, "nine")] }, {}]);
  expect(after).toEqual([`GAP lines after ${at(2)} are no longer kept`, "nine"]);
});

test("runs that nobody keeps show a gap, and one whole run before does not", async () => {
  const third = { run: 3, startedAt: whole(30), previous: { startedAt: whole(20), finishedAt: whole(21) } };
  const kept = { previous: [line(20, "third")], current: [line(30, "fourth")] };
  const { after } = await readTwice([{ current: [line(2, "first")] }, { run: 0 }], [kept, third]);
  expect(after).toEqual(["GAP the output of 1 of its runs is no longer kept", "third", "fourth"]);
  const second = { ...third, run: 1, previous: { startedAt: whole(1), finishedAt: whole(21) } };
  const rest = { previous: [line(2, "first"), line(21, "its end")], current: [line(30, "second")] };
  expect((await readTwice([{ current: [line(2, "first")] }, { run: 0 }], [rest, second])).after).toEqual([
    "its end",
    "second",
  ]);
});

test("a run that ended before the pod's status tells of it is read to its end", async () => {
  const { after } = await readTwice(
    [{ current: [line(2, "first")] }, {}],
    [{ previous: [line(2, "first"), line(3, "its end")], current: [line(9, "second")] }, {}], // still known as run 0
  );
  expect(after).toEqual(["its end", "second"]);
});

test("a line without its end counts when its run is over, and else is read again", async () => {
  const [cut, rest] = ["2026-01-01T00:00:03.000000000Z half", " and half\n"];
  const going = await readTwice(
    [{ current: [line(2, "one"), cut] }, {}],
    [{ current: [line(2, "one"), cut + rest] }, {}],
  );
  expect(going).toEqual({ before: ["one"], after: ["half and half"] });
  const over = await readTwice([{ current: [line(2, "one"), cut] }, { isOver: true }], [{ current: [] }, {}]);
  expect(over.before).toEqual(["one", "half"]);
});
