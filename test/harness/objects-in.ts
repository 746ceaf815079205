import type { Cluster } from "../../src/k8s/cluster.ts";
import type { KindName } from "../../src/k8s/kinds.ts";

/** `Kind name` of all that is in the namespace, but what Kubernetes itself puts into each. */
export async function objectsIn(cluster: Cluster, namespace: string): Promise<string[]> {
  const kinds: KindName[] = ["Deployment", "ReplicaSet", "Pod", "Service", "Secret", "ConfigMap", "ServiceAccount"];
  const more: KindName[] = ["PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress", "Role", "RoleBinding"];
  const all = await Promise.all(
    [...kinds, ...more].map(async (kind) => {
      const { items } = await cluster.list({ kind, namespace });
      return items.map(({ metadata }) => `${kind} ${metadata?.name}`);
    }),
  );
  return all.flat().filter((name) => !["ConfigMap kube-root-ca.crt", "ServiceAccount default"].includes(name));
}
