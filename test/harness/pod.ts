import type { Cluster, PodRef } from "../../src/k8s/cluster.ts";
import { waitFor } from "./wait-for.ts";

/** A pod of busybox that runs `script`, once it runs; it goes with its namespace. */
export async function startPod(space: { cluster: Cluster; name: string }, script: string): Promise<PodRef> {
  const ref = { kind: "Pod" as const, namespace: space.name, name: "busy" };
  await space.cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: ref.name, namespace: ref.namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: "main", image: "busybox:1", imagePullPolicy: "IfNotPresent", command: ["sh", "-c", script] },
      ],
    },
  });
  await waitFor("the pod to run", async () => (await space.cluster.get(ref))?.status?.phase === "Running", {
    withinMs: 40_000,
  });
  return { namespace: ref.namespace, name: ref.name };
}
