import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";
import { AetherError, messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";

/** Sidecars with probes, and the kubelet's own sleep before a container's end. */
const oldestMinor = 30;

/** Throws what only a person can mend; a cluster that is away now will be tried again. */
export async function assertUsable(
  cluster: Cluster,
  { namespace, log }: { namespace: string; log: Logger },
): Promise<void> {
  try {
    const { major, minor, text } = await cluster.version();
    if (major === 1 && minor < oldestMinor) {
      throw new AetherError("config_invalid", `The cluster at ${cluster.server} is Kubernetes ${text}.`, {
        hint: `aether needs Kubernetes 1.${oldestMinor} or newer.`,
      });
    }
    const found = await cluster.get({ kind: "Namespace", name: namespace });
    if (found === undefined) {
      throw new AetherError("config_invalid", `There is no namespace "${namespace}" on ${cluster.server}.`, {
        hint: `Make it, kubectl create namespace ${namespace}, or name another one by AETHER_NAMESPACE.`,
      });
    }
  } catch (error) {
    if (isClusterError(error, "forbidden")) return; // it may not look at namespaces, and need not
    const isAway = isClusterError(error) && ["unreachable", "timeout", "overloaded", "failed"].includes(error.problem);
    if (!isAway) throw error;
    log.warn("the cluster is away, and it is tried again", { server: cluster.server, why: messageOf(error) });
  }
}
