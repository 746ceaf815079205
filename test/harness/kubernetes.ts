import { clusterLocation } from "../../src/config/cluster.ts";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import { type Tier, tier } from "./tier.ts";

/** Whether a real cluster is there for the tests: the one of KUBECONFIG, and no other, lest somebody's own be used. */
export function kubernetesTier(): Tier {
  return tier("kubernetes", () => (process.env.KUBECONFIG ? undefined : "KUBECONFIG names no cluster for the tests"));
}

/** The cluster of KUBECONFIG. */
export function openTestCluster(): Promise<Cluster> {
  const { kubeconfigs, pluginEnv } = clusterLocation(process.env);
  return openCluster({ kubeconfigs, pluginEnv });
}
