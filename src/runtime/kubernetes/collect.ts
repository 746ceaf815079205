import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";
import type { Pod, ReplicaSet } from "./world.ts";

export interface CollectOptions {
  namespace: string;
  /** What is wanted now names these, whether it was applied yet or not. */
  inUse: ReadonlySet<string>;
  /** Younger Secrets stay: another server may be about to apply the Deployment that names them. */
  youngMs?: number;
}

/** Removes our env Secrets, and the agents and authorities in ConfigMaps, that no ReplicaSet and no Pod names any more. */
export async function collect(
  cluster: Cluster,
  { namespace, inUse, youngMs = 60_000 }: CollectOptions,
): Promise<string[]> {
  // What could be removed is read before those who may name it: what comes between is named by somebody, or not listed.
  const secrets = await cluster.list({ kind: "Secret", namespace, labelSelector: "aether.dev/app" });
  const agents = await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "aether.dev/agent" });
  const authorities = await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "aether.dev/ca" });
  const [replicaSets, pods] = await Promise.all([
    cluster.list({ kind: "ReplicaSet", namespace, labelSelector: "aether.dev/app" }),
    cluster.list({ kind: "Pod", namespace, labelSelector: "aether.dev/app" }),
  ]);
  const named = new Set([...inUse, ...replicaSets.items.flatMap(namesOf), ...pods.items.flatMap(namesOf)]);
  const gone: string[] = [];
  const found = [
    ...secrets.items.map((object) => ({ kind: "Secret" as const, object })),
    ...[...agents.items, ...authorities.items].map((object) => ({ kind: "ConfigMap" as const, object })),
  ];
  for (const { kind, object } of found) {
    const { name = "", uid, resourceVersion, creationTimestamp = "" } = object.metadata ?? {};
    if (named.has(name)) continue;
    // An agent that goes too early is made anew: its ConfigMaps are watched.
    if (kind === "Secret" && Date.now() - Date.parse(creationTimestamp) < youngMs) continue;
    const same = { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) };
    const isGone = await cluster.remove({ kind, namespace, name }, same).catch((error: unknown) => {
      if (isClusterError(error, "conflict")) return false; // somebody made it anew: it is wanted
      throw error;
    });
    if (isGone) gone.push(`${kind} ${name}`);
  }
  return gone;
}

/** The Secrets and ConfigMaps that pods of it need. */
function namesOf(object: ReplicaSet | Pod): string[] {
  const { spec } = object;
  const podSpec = spec && "template" in spec ? spec.template?.spec : (spec as Pod["spec"]);
  const fromEnv = (podSpec?.containers ?? []).flatMap(({ envFrom = [] }) => envFrom.map((one) => one.secretRef?.name));
  const volumes = (podSpec?.volumes ?? []).map(({ configMap }) => configMap?.name);
  return [...fromEnv, ...volumes].filter((name) => name !== undefined);
}
