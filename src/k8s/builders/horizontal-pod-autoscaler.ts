import type { V2HorizontalPodAutoscaler } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels } from "./metadata.ts";

/** As many replicas as the load takes, when the release asks for it. It then owns the Deployment's `replicas`. */
export function horizontalPodAutoscaler(release: AppRelease): V2HorizontalPodAutoscaler | undefined {
  const { app, namespace, autoscaler } = release;
  if (autoscaler === undefined) return undefined;
  const { minReplicas, maxReplicas, cpuPercent = 70 } = autoscaler;
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: app, namespace, labels: appLabels(release) },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: app },
      minReplicas,
      maxReplicas,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpuPercent } },
        },
      ],
    },
  };
}
