import { expect, test } from "bun:test";
import { formatBytes, parseBytes } from "../../src/lib/bytes.ts";
import { formatMs, parseSince } from "../../src/lib/durations.ts";
import { AetherError, asDiskError } from "../../src/lib/errors.ts";
import { nearest } from "../../src/lib/nearest.ts";
import { redact } from "../../src/lib/redact.ts";
import { retry } from "../../src/lib/retry.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_000, "1.0 KB"],
  [1_440_000, "1.4 MB"],
  [123_456_789, "123 MB"],
])("%d bytes are shown as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  ["1500", 1_500],
  ["10GB", 10_000_000_000],
  ["1.5 MiB", 1_572_864],
  ["2kb", 2_000],
  ["0", 0],
  ["", undefined],
  ["-1", undefined],
  ["10 parsecs", undefined],
  ["1e3", undefined],
  ["9999999TB", undefined],
])("the size %p has %p bytes", (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each([
  [840, "840 ms"],
  [2_340, "2.3 s"],
  [240_000, "4 min"],
])("%d ms are shown as %s", (ms, text) => expect(formatMs(ms)).toBe(text));

const now = new Date("2026-01-01T12:00:00.000Z");

test.each([
  ["30s", "2026-01-01T11:59:30.000Z"],
  ["5m", "2026-01-01T11:55:00.000Z"],
  ["2h", "2026-01-01T10:00:00.000Z"],
  ["1d", "2025-12-31T12:00:00.000Z"],
  ["2026-01-01T01:02:03Z", "2026-01-01T01:02:03.000Z"],
])("--since %s means %s", (text, time) => expect(parseSince(text, now).toISOString()).toBe(time));

test.each(["", "5", "m", "yesterday", "-5m", "2026-13-01T00:00:00Z"])("--since %p is refused", (text) => {
  expect(() => parseSince(text, now)).toThrow(AetherError);
});

test("the nearest word is found, and none when nothing is near", () => {
  expect(nearest("deplyo", ["deploy", "status"])).toBe("deploy");
  expect(nearest("lsit", ["list", "logs"])).toBe("list");
  expect(nearest("frobnicate", ["deploy", "status"])).toBeUndefined();
});

test.each([
  ["Authorization: Bearer abc.def", "abc.def"],
  ["aether.bearer.s3cret", "s3cret"],
  [`the token aether_${"0a".repeat(36)} was`, "0a0a"],
  ["GET /storage/x?expires=1&signature=deadbeef&a=b", "deadbeef"],
  ["https://s3/x?X-Amz-Signature=deadbeef", "deadbeef"],
])("%p loses its secret", (text, secret) => {
  expect(redact(text)).toContain("[redacted]");
  expect(redact(text)).not.toContain(secret);
});

test("disk errors name the path and what to do; others stay bugs", () => {
  const full = Object.assign(new Error("write failed"), { code: "ENOSPC" });
  expect(asDiskError(full, "write", "/data/x")).toMatchObject({
    code: "disk_failed",
    exitCode: 30,
    message: expect.stringContaining("/data/x"),
  });
  const bug = new TypeError("x is not a function");
  expect(asDiskError(bug, "write", "/data/x")).toBe(bug);
});

test("work is repeated only while its error is worth it", async () => {
  const attempts: number[] = [];
  const work = async (attempt: number) => {
    attempts.push(attempt);
    if (attempt < 3) throw new Error("again");
    return "done";
  };
  expect(await retry(work, { attempts: 5, shouldRetry: () => true, firstDelayMs: 0 })).toBe("done");
  expect(attempts).toEqual([1, 2, 3]);
  await expect(retry(work, { attempts: 5, shouldRetry: () => false, firstDelayMs: 0 })).rejects.toThrow("again");
  await expect(retry(work, { attempts: 2, shouldRetry: () => true, firstDelayMs: 0 })).rejects.toThrow("again");
});
