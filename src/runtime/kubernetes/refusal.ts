import type { DeploymentFailure } from "../../core/deployment.ts";
import type { ClusterError } from "../../k8s/cluster-error.ts";

/** What it means for a release that the cluster does not take one of its objects. */
export function toFailure(error: ClusterError): DeploymentFailure {
  const reason = /exceeded quota/.test(error.message) ? "quota_exceeded" : "admission_denied";
  const hint = error.hint === undefined ? "" : ` ${error.hint}`;
  return { reason, message: `${error.message}${hint}`, log: [] };
}
