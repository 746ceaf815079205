import type { FailureReason } from "../core/deployment.ts";
import { AetherError, isDiskFull, messageOf } from "../lib/errors.ts";

/** A verdict: this release will not run, and why. What is not a verdict is retried. */
export class AgentFailure extends Error {
  override readonly name = "AgentFailure";
  readonly reason: FailureReason;
  /** The server knows who asks, or does not, and says no: it is not that nothing is there. */
  readonly isDenied: boolean;

  constructor(reason: FailureReason, message: string, options: ErrorOptions & { isDenied?: boolean } = {}) {
    super(message, options);
    this.reason = reason;
    this.isDenied = options.isDenied ?? false;
  }
}

/** Any thrown value as a verdict on the release. */
export function toFailure(error: unknown): { reason: FailureReason; message: string } {
  if (error instanceof AgentFailure) return { reason: error.reason, message: error.message };
  const message = error instanceof AetherError && error.hint ? `${error.message} ${error.hint}` : messageOf(error);
  return { reason: reasonOf(error), message };
}

function reasonOf(error: unknown): FailureReason {
  if (isDiskFull(error) || (error instanceof Error && isDiskFull(error.cause))) return "disk_full";
  if (error instanceof AetherError && error.code === "digest_mismatch") return "digest_mismatch";
  return "unpack_failed";
}
