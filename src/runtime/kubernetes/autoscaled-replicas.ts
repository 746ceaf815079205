import type { Cluster } from "../../k8s/cluster.ts";
import { fieldManager } from "../../k8s/field-manager.ts";

/**
 * What we say of the number of replicas while an autoscaler decides on it: nothing, once it has set one itself. Until then
 * the number there is: one that nobody but us has set falls to 1 when we no longer say it.
 */
export async function autoscaledReplicas(
  cluster: Cluster,
  place: { namespace: string; name: string },
): Promise<number | undefined> {
  const live = await cluster.get({ kind: "Deployment", ...place });
  const owners = (live?.metadata?.managedFields ?? []).filter(({ fieldsV1 }) => setsReplicas(fieldsV1));
  const isOnlyOurs = owners.every(({ manager, operation }) => manager === fieldManager && operation === "Apply");
  return isOnlyOurs ? live?.spec?.replicas : undefined;
}

const setsReplicas = (fields: unknown): boolean =>
  (fields as { "f:spec"?: Record<string, unknown> } | undefined)?.["f:spec"]?.["f:replicas"] !== undefined;
