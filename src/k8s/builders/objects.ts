import type { KubernetesObject } from "@kubernetes/client-node";
import { AetherError } from "../../lib/errors.ts";
import type { AppRelease } from "./app-release.ts";
import { agentConfigMap, authoritiesConfigMap } from "./config-map.ts";
import { deployment } from "./deployment.ts";
import { horizontalPodAutoscaler } from "./horizontal-pod-autoscaler.ts";
import { ingress } from "./ingress.ts";
import { podDisruptionBudget } from "./pod-disruption-budget.ts";
import { role } from "./role.ts";
import { roleBinding } from "./role-binding.ts";
import { secret } from "./secret.ts";
import { service } from "./service.ts";
import { serviceAccount } from "./service-account.ts";

/** What new releases are pinned to. */
export const currentBuilder = 2;

/**
 * A change that alters an object of some release gets a number of its own here, and the old one keeps its output for the
 * rows that name it: upgrading the server rolls no application.
 */
const builders: Record<number, (release: AppRelease) => (KubernetesObject | undefined)[]> = {
  1: (release) => around(release, deployment(release, "25%")),
  2: (release) => around(release, deployment(release)),
};

const around = (release: AppRelease, pods: KubernetesObject): (KubernetesObject | undefined)[] => [
  serviceAccount(release),
  role(release),
  roleBinding(release),
  agentConfigMap(release),
  authoritiesConfigMap(release),
  secret(release),
  service(release),
  podDisruptionBudget(release),
  pods,
  horizontalPodAutoscaler(release),
  ingress(release),
];

/** All objects of a release, in the order to apply them: what a pod names comes before it. */
export function objects(release: AppRelease): KubernetesObject[] {
  const build = builders[release.builder];
  if (build === undefined) {
    throw new AetherError(
      "service_unavailable",
      `${release.app} v${release.version} was released by a newer aether, and this server does not know how its pods are built.`,
      { hint: "Run the newer server again, or deploy the application anew." },
    );
  }
  return build(release).filter((object) => object !== undefined);
}
