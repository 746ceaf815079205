import { type Digest, isDigest } from "./digest.ts";

// The lines by which a dev-hot pod's fetcher tells what became of a digest: `kubectl logs -c fetcher` shows them, and the
// control plane counts them. Nothing else in that log begins like one: what applications said is always indented.

/** Why a digest is not what serves. */
export const refreshFailures = [
  "not_found",
  "unauthorized",
  "download",
  "digest_mismatch",
  "signature",
  "unpack",
  "disk",
  "start",
  "health",
  "gone_back",
] as const;
export type RefreshFailure = (typeof refreshFailures)[number];

/** One attempt at a digest: announced, then ended by `ok` or `fail`, or by the next `new`. */
export type HotMarker =
  | { kind: "new"; digest: Digest }
  | { kind: "ok"; digest: Digest; ms: number }
  | { kind: "fail"; digest: Digest; reason: RefreshFailure };

/** The line, without its end. */
export function formatMarker(marker: HotMarker): string {
  if (marker.kind === "new") return `[fetcher] new digest ${marker.digest}`;
  if (marker.kind === "ok") return `REFRESH_OK digest=${marker.digest} ms=${marker.ms}`;
  return `REFRESH_FAIL reason=${marker.reason} digest=${marker.digest}`;
}

const patterns = {
  new: /^\[fetcher\] new digest (?<digest>\S+)$/,
  ok: /^REFRESH_OK digest=(?<digest>\S+) ms=(?<ms>\d{1,12})$/,
  fail: /^REFRESH_FAIL reason=(?<reason>\w+) digest=(?<digest>\S+)$/,
};

/** The marker in a line, or undefined: it is another line. */
export function parseMarker(line: string): HotMarker | undefined {
  for (const kind of ["new", "ok", "fail"] as const) {
    const { digest, ms, reason } = patterns[kind].exec(line)?.groups ?? {};
    if (!isDigest(digest)) continue;
    if (kind === "new") return { kind, digest };
    if (kind === "ok") return { kind, digest, ms: Number(ms) };
    const known = refreshFailures.find((one) => one === reason);
    return known && { kind, digest, reason: known };
  }
  return undefined;
}
