import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";

/** What applications run on, and where it is reached. */
export interface Nodes {
  arch: string;
  /** Where a NodePort answers, as far as the cluster tells. */
  address: string | undefined;
}

const archNames: Record<string, string> = { amd64: "x64", arm64: "arm64" };

/** The nodes that are ready; what a server that may not list them can say without. */
export async function findNodes(cluster: Cluster): Promise<Nodes> {
  try {
    const { items } = await cluster.list({ kind: "Node" });
    const ready = items.filter(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"),
    );
    const [node] = ready.length > 0 ? ready : items;
    const named = node?.metadata?.labels?.["kubernetes.io/arch"] ?? node?.status?.nodeInfo?.architecture ?? "";
    const addresses = node?.status?.addresses ?? [];
    const address = ["ExternalIP", "InternalIP"].map(
      (wanted) => addresses.find(({ type }) => type === wanted)?.address,
    );
    return { arch: archNames[named] ?? named, address: address.find((one) => one !== undefined) };
  } catch (error) {
    if (isClusterError(error, "forbidden")) return { arch: process.arch, address: undefined };
    throw error;
  }
}
