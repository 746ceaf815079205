import { existsSync } from "node:fs";
import { createCluster } from "./api-cluster.ts";
import type { Cluster } from "./cluster.ts";
import { inClusterAccess, serviceAccountFolder } from "./in-cluster.ts";
import { readKubeconfig } from "./kubeconfig.ts";
import { kubeconfigAccess } from "./kubeconfig-access.ts";
import type { TransportOptions } from "./transport.ts";

/** Where a cluster may be known from, as the environment says. */
export interface ClusterLocation {
  /** The paths of KUBECONFIG; empty when it is not set. */
  kubeconfigs: string[];
  /** Taken when KUBECONFIG is not set and the file is there. */
  defaultKubeconfig?: string;
  /** Other than the kubeconfig's current one. */
  context?: string;
  /** What the kubelet tells every pod. */
  inCluster?: { host: string; port: string; folder?: string };
  /** The environment of a credential plugin. */
  pluginEnv?: Record<string, string>;
}

/** The cluster of the kubeconfig, else the one that we run in. Nothing is asked of it yet: `version` shows if it answers. */
export async function openCluster(location: ClusterLocation, options: TransportOptions = {}): Promise<Cluster> {
  const { kubeconfigs, defaultKubeconfig, context, inCluster, pluginEnv = {} } = location;
  const isDefaultThere = defaultKubeconfig !== undefined && existsSync(defaultKubeconfig);
  if (kubeconfigs.length === 0 && !isDefaultThere && inCluster) {
    const { host, port, folder = serviceAccountFolder } = inCluster;
    return createCluster(await inClusterAccess(host, port, folder), options);
  }
  const paths = kubeconfigs.length > 0 ? kubeconfigs : defaultKubeconfig ? [defaultKubeconfig] : [];
  return createCluster(kubeconfigAccess(await readKubeconfig(paths, context), pluginEnv), options);
}
