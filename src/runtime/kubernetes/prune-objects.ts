import type { KubernetesObject } from "@kubernetes/client-node";
import type { Cluster } from "../../k8s/cluster.ts";

/** Kinds that one release may have and the next one not. */
const optional = ["Ingress", "PodDisruptionBudget", "HorizontalPodAutoscaler"] as const;

/** Removes what an earlier release had and this one, made of `objects`, has not. */
export async function pruneObjects(
  cluster: Cluster,
  objects: KubernetesObject[],
  { namespace, app }: { namespace: string; app: string },
): Promise<void> {
  const wanted = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata?.name}`));
  for (const kind of optional) {
    const { items } = await cluster.list({ kind, namespace, labelSelector: `aether.dev/app=${app}` });
    for (const { metadata } of items) {
      const name = metadata?.name ?? "";
      if (!wanted.has(`${kind} ${name}`)) await cluster.remove({ kind, namespace, name });
    }
  }
}
