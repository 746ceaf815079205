import type { Cluster, ObjectRef } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";

const annotation = "aether.dev/removing";

/** Says on an object that its removal is ours, so that no other server takes it for somebody's by hand and makes it anew. */
export async function markRemoved(cluster: Cluster, ref: ObjectRef<"Deployment" | "Service">): Promise<void> {
  try {
    await cluster.patch(ref, { metadata: { annotations: { [annotation]: "true" } } });
  } catch (error) {
    if (!isClusterError(error, "not_found")) throw error;
  }
}

/** Whether a server of ours is removing it, or did. */
export const isMarkedRemoved = (metadata: { annotations?: Record<string, string> } | undefined): boolean =>
  metadata?.annotations?.[annotation] !== undefined;
