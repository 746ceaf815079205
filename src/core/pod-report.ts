import { type Digest, isDigest } from "./digest.ts";

/** What an init container that brought its release says at its end, where one that failed leaves a `PodVerdict`. */
export interface PodReport {
  digest: Digest;
  fetchMs: number;
  /** Absent: the release lay there already. */
  unpackMs?: number | undefined;
}

/** The termination message. */
export function formatPodReport({ digest, fetchMs, unpackMs }: PodReport): string {
  return JSON.stringify({ digest, fetch_ms: fetchMs, unpack_ms: unpackMs });
}

/** The report in a termination message, or undefined when something else wrote it: an agent before this one wrote none. */
export function parsePodReport(text: string): PodReport | undefined {
  try {
    const { digest, fetch_ms: fetchMs, unpack_ms: unpackMs } = JSON.parse(text);
    if (!isDigest(digest) || !isMs(fetchMs)) return undefined;
    return { digest, fetchMs, ...(isMs(unpackMs) ? { unpackMs } : {}) };
  } catch {
    return undefined; // not JSON, or nothing that has properties
  }
}

/** The application's own user could write there, too: nothing but a plain number is a time. */
const isMs = (value: unknown): value is number => typeof value === "number" && value >= 0 && value < 1e9;
