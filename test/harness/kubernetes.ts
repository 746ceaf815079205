import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { clusterLocation } from "../../src/config/cluster.ts";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { readKubeconfig } from "../../src/k8s/kubeconfig.ts";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import { temporaryFolder } from "./temporary-folder.ts";
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

/** The cluster of KUBECONFIG, as somebody else: whoever `token` is of. */
export async function openTestClusterAs(token: string) {
  const folder = await temporaryFolder();
  const given = await readKubeconfig(clusterLocation(process.env).kubeconfigs);
  const path = join(folder.path, "kubeconfig");
  const config = {
    clusters: [{ name: "test", cluster: given.cluster }],
    users: [{ name: "somebody", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "somebody" } }],
    "current-context": "test",
  };
  await writeFile(path, JSON.stringify(config)); // JSON is YAML
  return { cluster: await openCluster({ kubeconfigs: [path] }), [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}
