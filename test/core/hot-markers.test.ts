import { expect, test } from "bun:test";
import { formatMarker, type HotMarker, parseMarker } from "../../src/core/hot-markers.ts";

const digest = "ab".repeat(32);

test.each<[HotMarker, string]>([
  [{ kind: "new", digest }, `[fetcher] new digest ${digest}`],
  [{ kind: "ok", digest, ms: 812 }, `REFRESH_OK digest=${digest} ms=812`],
  [{ kind: "fail", digest, reason: "gone_back" }, `REFRESH_FAIL reason=gone_back digest=${digest}`],
])("%j is written and read as it stands in the design", (marker, line) => {
  expect(formatMarker(marker)).toBe(line);
  expect(parseMarker(line)).toEqual(marker);
});

test.each([
  "",
  `[fetcher]   | REFRESH_OK digest=${digest} ms=812`,
  ` REFRESH_OK digest=${digest} ms=812`,
  `REFRESH_OK digest=${digest} ms=812 `,
  "REFRESH_OK digest=abc ms=1",
  `REFRESH_OK digest=${digest} ms=-1`,
  `REFRESH_FAIL reason=weather digest=${digest}`,
  "[fetcher] new digest latest",
])("%p is no marker", (line) => {
  expect(parseMarker(line)).toBeUndefined();
});
