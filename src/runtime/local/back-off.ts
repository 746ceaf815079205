import type { DeploymentFailure } from "../../core/deployment.ts";

/**
 * The longest pause before what failed is tried again. A revoked key never comes back, so that only a deployment mends what
 * it signed; anything else may mend by itself.
 */
export function longestPauseMs(failure: DeploymentFailure | undefined, usualMs: number): number {
  return failure?.reason === "signature_invalid" ? 600_000 : usualMs;
}
