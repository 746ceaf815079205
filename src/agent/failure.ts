import type { FailureReason } from "../core/deployment.ts";
import { AetherError, messageOf, systemCode } from "../lib/errors.ts";

/** A verdict: this release will not run, and why. What is not a verdict is retried. */
export class AgentFailure extends Error {
  override readonly name = "AgentFailure";
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Any thrown value as a verdict on the release. */
export function toFailure(error: unknown): { reason: FailureReason; message: string } {
  if (error instanceof AgentFailure) return { reason: error.reason, message: error.message };
  const message = error instanceof AetherError && error.hint ? `${error.message} ${error.hint}` : messageOf(error);
  return { reason: reasonOf(error), message };
}

function reasonOf(error: unknown): FailureReason {
  const code = systemCode(error) ?? systemCode(error instanceof Error ? error.cause : undefined);
  if (code === "ENOSPC" || code === "EDQUOT") return "disk_full";
  if (error instanceof AetherError && error.code === "digest_mismatch") return "digest_mismatch";
  if (error instanceof AetherError && systemCode(error.cause) === "ENOSPC") return "disk_full";
  return "unpack_failed";
}
