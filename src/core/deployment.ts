/** `pending → running | failed`, then `superseded` by a newer one or `stopped`. */
export const deploymentStatuses = ["pending", "running", "failed", "superseded", "stopped"] as const;
export type DeploymentStatus = (typeof deploymentStatuses)[number];

/** What makes a release: an artifact that was deployed, or the artifact of an earlier release again. */
export const releaseOrigins = ["deploy", "rollback", "env", "restart"] as const;
export type ReleaseOrigin = (typeof releaseOrigins)[number];

/** Why a deployment failed (design section 4). */
export const failureReasons = [
  "artifact_not_found",
  "digest_mismatch",
  "signature_invalid",
  "unpack_failed",
  "disk_full",
  "image_pull",
  "crash_loop",
  "exited",
  "oom_killed",
  "not_listening",
  "probe_failed",
  "unschedulable",
  "quota_exceeded",
  "admission_denied",
  "progress_deadline",
  "server_unreachable",
] as const;
export type FailureReason = (typeof failureReasons)[number];

/** Why a release does not run: a reason, a sentence a person can act on, and the last lines of the log. */
export interface DeploymentFailure {
  reason: FailureReason;
  message: string;
  log: string[];
}
