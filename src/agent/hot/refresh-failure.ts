import type { FailureReason } from "../../core/deployment.ts";
import type { RefreshFailure } from "../../core/hot-markers.ts";
import { AgentFailure, toFailure } from "../failure.ts";
import type { HotOutcome } from "./wish.ts";

/** The supervisor's verdict on a version; `hasServed` where it came up and did not stay. */
export class NotServing extends Error {
  override readonly name = "NotServing";
  readonly outcome: HotOutcome;
  readonly hasServed: boolean;

  constructor(outcome: HotOutcome, { hasServed = false } = {}) {
    super(outcome.message ?? "The version did not come up.");
    this.outcome = outcome;
    this.hasServed = hasServed;
  }
}

const words: Partial<Record<FailureReason, RefreshFailure>> = {
  artifact_not_found: "not_found",
  digest_mismatch: "digest_mismatch",
  signature_invalid: "signature",
  unpack_failed: "unpack",
  disk_full: "disk",
  server_unreachable: "download",
};

/** What became of a digest, for its marker, for a person, and with the last lines of a version that did not come up. */
export function toRefreshFailure(error: unknown): { reason: RefreshFailure; message: string; log: string[] } {
  if (error instanceof NotServing) {
    const { reason, log = [] } = error.outcome;
    if (error.hasServed) return { reason: "gone_back", message: error.message, log };
    return { reason: reason === "probe_failed" ? "health" : "start", message: error.message, log };
  }
  const { reason, message } = toFailure(error);
  const isDenied = error instanceof AgentFailure && error.isDenied;
  return { reason: isDenied ? "unauthorized" : (words[reason] ?? "download"), message, log: [] };
}
