import { expect, test } from "bun:test";
import { createProgress, progressLine } from "../../src/cli/progress.ts";

const megabyte = 1_000_000;

test.each([
  [{ doneBytes: 1_500 }, "Packing  1.5 KB"],
  [{ doneBytes: 0, totalBytes: 0 }, "Packing  ████████████████████  100 %  0 B of 0 B"],
  [{ doneBytes: 0, totalBytes: 10 * megabyte }, "Packing  ░░░░░░░░░░░░░░░░░░░░  0 %  0 B of 10.0 MB"],
  [
    { doneBytes: 7 * megabyte, totalBytes: 10 * megabyte, bytesPerSecond: 1.5 * megabyte },
    "Packing  ██████████████░░░░░░  70 %  7.0 MB of 10.0 MB  1.5 MB/s  2 s left",
  ],
  [
    { doneBytes: 995_000, totalBytes: megabyte, bytesPerSecond: 1000 },
    "Packing  ████████████████████  99 %  995 KB of 1.0 MB  1.0 KB/s  5 s left",
  ],
  [
    { doneBytes: megabyte, totalBytes: megabyte, bytesPerSecond: 1000 },
    "Packing  ████████████████████  100 %  1.0 MB of 1.0 MB",
  ],
  [
    { doneBytes: 0, totalBytes: 600 * megabyte, bytesPerSecond: megabyte },
    "Packing  ░░░░░░░░░░░░░░░░░░░░  0 %  0 B of 600 MB  1.0 MB/s  10 min left",
  ],
  [
    { doneBytes: 0, totalBytes: 7_200 * megabyte, bytesPerSecond: megabyte },
    "Packing  ░░░░░░░░░░░░░░░░░░░░  0 %  0 B of 7.2 GB  1.0 MB/s  2 h left",
  ],
  [
    { doneBytes: 0, totalBytes: megabyte, bytesPerSecond: 0 },
    "Packing  ░░░░░░░░░░░░░░░░░░░░  0 %  0 B of 1.0 MB  0 B/s",
  ],
])("%p reads %p", (amounts, line) => {
  expect(progressLine("Packing", amounts)).toBe(line);
});

/** The lines that are drawn for what is done, in megabytes of 100, after each step of so many milliseconds. */
function drawn(steps: [ms: number, done: number][]) {
  let at = 0;
  const progress = createProgress("Uploading", () => at);
  return steps.map(([ms, done]) => {
    at += ms;
    return progress.update(done * megabyte, 100 * megabyte);
  });
}

test("the rate does not count what an earlier upload had sent", () => {
  const lines = drawn([
    [0, 80],
    [1_000, 82],
  ]);
  expect(lines[0]).toEndWith("80.0 MB of 100 MB");
  expect(lines[1]).toEndWith("82.0 MB of 100 MB  2.0 MB/s  9 s left");
});

test("a pause slows the rate down little by little, and a part that starts again does not make it negative", () => {
  const lines = drawn([
    [0, 0],
    [1_000, 10],
    [1_000, 10],
    [1_000, 5],
  ]);
  expect(lines[1]).toContain("  10.0 MB/s  ");
  expect(lines[2]).toContain("  7.2 MB/s  ");
  expect(lines[3]).toContain("  5.1 MB/s  ");
});

test("a line is drawn ten times a second at most, and always at the end", () => {
  const lines = drawn([
    [0, 0],
    [50, 1],
    [49, 2],
    [1, 3],
    [1, 100],
  ]);
  expect(lines.map((line) => line !== undefined)).toEqual([true, false, false, true, true]);
});
