import type { KubernetesObject } from "@kubernetes/client-node";
import type { Cluster } from "../../k8s/cluster.ts";
import { ClusterError, isClusterError } from "../../k8s/cluster-error.ts";
import { type KindName, kinds } from "../../k8s/kinds.ts";
import { crashPoint } from "../../lib/crash-point.ts";

/** What became of an object: what the cluster has of it now. */
export interface Applied {
  kind: string;
  name: string;
  uid: string | undefined;
  generation: number;
  resourceVersion: string | undefined;
}

/** Applies them in order, each only where nothing of that name is, or something of ours. */
export async function applyObjects(
  cluster: Cluster,
  objects: KubernetesObject[],
  { app, signal }: { app: string; signal: AbortSignal },
): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const object of objects) {
    const { kind, name, namespace } = placeOf(object);
    const live = await cluster.get({ kind, name, ...(namespace ? { namespace } : {}) }, signal);
    if (live) assertOurs(object, live.metadata, app);
    const isThere = live !== undefined && "immutable" in live && live.immutable === true;
    const { metadata } = isThere ? live : await cluster.apply(object, { signal });
    applied.push({
      kind,
      name,
      uid: metadata?.uid,
      generation: metadata?.generation ?? 0,
      resourceVersion: metadata?.resourceVersion,
    });
    crashPoint("object-applied");
  }
  return applied;
}

type Metadata = NonNullable<Awaited<ReturnType<Cluster["get"]>>>["metadata"];

/** The same label with the same value: an application's name is not enough, somebody may have used it by hand. */
function assertOurs(object: KubernetesObject, live: Metadata, app: string): void {
  const { kind, name, namespace } = placeOf(object);
  const label = ["aether.dev/app", "aether.dev/agent", "aether.dev/ca"].find((one) => object.metadata?.labels?.[one]);
  if (label === undefined) throw new Error(`A ${kind} of ${app} was built without the label that makes it ours.`);
  if (live?.labels?.[label] !== object.metadata?.labels?.[label]) {
    throw new ClusterError(
      "denied",
      `There is a ${kind} "${name}" in namespace "${namespace}" that aether did not make.`,
      {
        hint: `Remove it, or deploy the application under another name: kubectl -n ${namespace} get ${kind.toLowerCase()} ${name}`,
      },
    );
  }
  if (live?.deletionTimestamp) throw new ClusterError("failed", `The ${kind} "${name}" is being deleted.`);
}

function placeOf({ kind, metadata }: KubernetesObject): { kind: KindName; name: string; namespace?: string } {
  if (kind === undefined || !(kind in kinds) || metadata?.name === undefined)
    throw new Error("An object without its place.");
  return {
    kind: kind as KindName,
    name: metadata.name,
    ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
  };
}

/** Whether asking again will bring the same answer: the cluster has understood, and does not want it. */
export function isRefusal(error: unknown): error is ClusterError {
  if (!isClusterError(error)) return false;
  return ["invalid", "denied", "forbidden", "not_found"].includes(error.problem);
}
