import type { V1ResourceRequirements } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";

/** Room for a small server, and in dev-hot for two or three of its versions; scheduled by `requests`, ended at `limits`. */
const defaults = { cpu: "100m", requestedMemory: "128Mi", memory: "512Mi", hotMemory: "1Gi" };

/**
 * What the application may use. CPU has no limit unless one is asked for: a throttled event loop answers late long before
 * a node is busy. What is said of a request or a limit fills in the other one where a default would contradict it.
 */
export function appResources({ resources: { requests, limits } = {}, devHot }: AppRelease): V1ResourceRequirements {
  const usualMemory = devHot === undefined ? defaults.memory : defaults.hotMemory;
  return {
    requests: {
      cpu: requests?.cpu ?? limits?.cpu ?? defaults.cpu,
      memory: requests?.memory ?? limits?.memory ?? defaults.requestedMemory,
    },
    limits: {
      ...(limits?.cpu && { cpu: limits.cpu }),
      memory: limits?.memory ?? requests?.memory ?? usualMemory,
    },
  };
}

/**
 * What the agent may use while it unpacks: memory of its own, however little the application has, and the application's
 * CPU, so that a pod asks its node for no more than the application does. A quota that demands a limit finds it here, too.
 */
export function fetchResources(release: AppRelease): V1ResourceRequirements {
  const { requests, limits } = appResources(release);
  return {
    requests: { ...requests, memory: "64Mi" },
    limits: { ...limits, memory: "512Mi" },
  };
}

/** The same for a sidecar, whose request comes on top of the application's for as long as the pod lives. */
export function fetcherResources(release: AppRelease): V1ResourceRequirements {
  const { requests, limits } = fetchResources(release);
  return { requests: { ...requests, cpu: "10m" }, limits: { ...limits } };
}
