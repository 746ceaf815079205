import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Where a Kubernetes cluster may be known from, by the variables that kubectl and the kubelet use. */
export function clusterLocation(env: Record<string, string | undefined>) {
  const { KUBECONFIG = "", KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  return {
    kubeconfigs: KUBECONFIG.split(delimiter).filter(Boolean),
    defaultKubeconfig: join(env.HOME || homedir(), ".kube", "config"),
    ...(host ? { inCluster: { host, port } } : {}),
    pluginEnv: pluginEnvironment(env),
  };
}

/** A credential plugin is another's program: it gets what it may be configured by, and nothing of ours. */
function pluginEnvironment(env: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("AETHER_") && name !== "DATABASE_URL"));
}
