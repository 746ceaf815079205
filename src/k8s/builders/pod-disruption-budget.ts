import type { V1PodDisruptionBudget } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels, selector } from "./metadata.ts";

/** One replica at a time may be drained. Undefined for a single one: its budget would hold up every drain of its node. */
export function podDisruptionBudget(release: AppRelease): V1PodDisruptionBudget | undefined {
  const fewest = release.replicas ?? release.autoscaler?.minReplicas ?? 1;
  if (fewest < 2) return undefined;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: release.app, namespace: release.namespace, labels: appLabels(release) },
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: selector(release) },
      unhealthyPodEvictionPolicy: "AlwaysAllow", // a crash loop must not hold up a drain either
    },
  };
}
