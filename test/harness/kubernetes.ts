import { clusterLocation } from "../../src/config/cluster.ts";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { readKubeconfig } from "../../src/k8s/kubeconfig.ts";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import { openByKubeconfig } from "./api-server.ts";
import { isDemanded, type Tier, tier } from "./tier.ts";

/** Whether a real cluster is there for the tests: the one of KUBECONFIG, and no other, lest somebody's own be used. */
export function kubernetesTier(): Tier {
  return tier("kubernetes", () => (process.env.KUBECONFIG ? undefined : "KUBECONFIG names no cluster for the tests"));
}

/** Tests on that cluster that take their time: pods that start and end, servers that are killed. */
export function longKubernetesTier(): Tier {
  const isWanted = process.env.AETHER_TEST_FULL === "1" || isDemanded("kubernetes-long");
  const howTo = "AETHER_TEST_REQUIRE=kubernetes-long, or AETHER_TEST_FULL=1, runs it";
  return tier("kubernetes-long", () => kubernetesTier().reason ?? (isWanted ? undefined : howTo));
}

/** The cluster of KUBECONFIG. */
export function openTestCluster(): Promise<Cluster> {
  const { kubeconfigs, pluginEnv } = clusterLocation(process.env);
  return openCluster({ kubeconfigs, pluginEnv });
}

/** The cluster of KUBECONFIG in another way: as whoever `token` is of, or by another port of its host. */
export async function openTestClusterBy({ token, port }: { token?: string; port?: number }) {
  const { cluster, user } = await readKubeconfig(clusterLocation(process.env).kubeconfigs);
  const server = new URL(cluster.server);
  if (port !== undefined) server.port = String(port);
  return await openByKubeconfig({ ...cluster, server: server.href }, token === undefined ? user : { token });
}

/** Where its API server listens. */
export async function testClusterAddress(): Promise<{ host: string; port: number }> {
  const { cluster } = await readKubeconfig(clusterLocation(process.env).kubeconfigs);
  const { hostname, port } = new URL(cluster.server);
  return { host: hostname, port: Number(port || 443) };
}
