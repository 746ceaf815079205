import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../k8s/cluster.ts";
import type { KindName } from "../../k8s/kinds.ts";
import { crashPoint } from "../../lib/crash-point.ts";
import { AetherError } from "../../lib/errors.ts";
import { markRemoved } from "./removal-mark.ts";

/** In this order: what would make others anew goes first. */
const removed = [
  "HorizontalPodAutoscaler",
  "Ingress",
  "Deployment",
  "ReplicaSet",
  "Pod",
  "Service",
  "PodDisruptionBudget",
  "RoleBinding",
  "Role",
  "Secret",
  "ServiceAccount",
] as const satisfies KindName[];

/** Removes everything that carries the application's label, and returns when nothing of it is left. */
export async function removeAppObjects(
  cluster: Cluster,
  { namespace, app, withinMs }: { namespace: string; app: string; withinMs: number },
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = 50; ; pauseMs = Math.min(1_000, pauseMs * 1.5)) {
    const left = await removeOnce(cluster, { namespace, app });
    if (left.length === 0) return;
    if (performance.now() > deadline) throw stillThere(left, namespace, app);
    await sleep(pauseMs);
  }
}

/** Tells what is there to go; answers what has not gone yet. */
async function removeOnce(cluster: Cluster, { namespace, app }: { namespace: string; app: string }): Promise<string[]> {
  const left: string[] = [];
  for (const kind of removed) {
    const { items } = await cluster.list({ kind, namespace, labelSelector: `aether.dev/app=${app}` });
    for (const { metadata } of items) {
      const name = metadata?.name ?? "";
      left.push(`${kind} ${name}`);
      if (metadata?.deletionTimestamp !== undefined) continue;
      if (kind === "Deployment" || kind === "Service") await markRemoved(cluster, { kind, namespace, name });
      await cluster.remove({ kind, namespace, name });
      crashPoint("object-removed");
    }
  }
  return left;
}

function stillThere(left: string[], namespace: string, app: string): AetherError {
  const some = left.slice(0, 5).join(", ");
  return new AetherError("service_unavailable", `Kubernetes has not removed all of ${app} yet: ${some}.`, {
    hint: `It is tried again. What holds it: kubectl -n ${namespace} get all -l aether.dev/app=${app}`,
  });
}
