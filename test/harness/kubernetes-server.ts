import { createUser, startServe, type User } from "./binary.ts";
import { freePort } from "./free-port.ts";
import { createNamespace } from "./namespace.ts";

/** The image of the testbed: it is there, and nothing can be pulled. */
export const runtimeImage = "node:20-slim";

/** A deployer's token. */
export const adminToken = "kubernetes-test-0123456789";

/** A namespace, and how `aether serve` is told to run applications there; pods reach it where the node is. */
export async function createKubernetesParts(env: Record<string, string> = {}) {
  const namespace = await createNamespace({ labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
  const { items } = await namespace.cluster.list({ kind: "Node" });
  const host = items[0]?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  const port = freePort();
  return {
    cluster: namespace.cluster,
    namespace: namespace.name,
    port,
    /** Where pods reach this machine. */
    host: host ?? "",
    env: {
      AETHER_RUNTIME: "kubernetes",
      AETHER_NAMESPACE: namespace.name,
      AETHER_RUNTIME_IMAGE: runtimeImage,
      AETHER_SERVICE_TYPE: "NodePort",
      AETHER_HOST: "0.0.0.0",
      AETHER_PUBLIC_URL: `http://127.0.0.1:${port}`,
      AETHER_INTERNAL_URL: `http://${host}:${port}`,
      AETHER_API_TOKENS: `${adminToken}:admin`,
      KUBECONFIG: process.env.KUBECONFIG ?? "",
      ...env,
    },
    [Symbol.asyncDispose]: namespace[Symbol.asyncDispose],
  };
}

export type KubernetesParts = Awaited<ReturnType<typeof createKubernetesParts>>;

/** `aether serve` on those; another one on the same data folder is its successor. */
export function serveKubernetes(
  user: User,
  { port, env }: Pick<KubernetesParts, "port" | "env">,
  more: Record<string, string> = {},
) {
  return startServe(user, { env: { ...env, ...more }, args: ["--port", String(port)] });
}

/** A user and a server whose applications run in a namespace of its own. */
export async function createKubernetesServer(env: Record<string, string> = {}) {
  const parts = await createKubernetesParts(env);
  const user = await createUser();
  const server = await serveKubernetes(user, parts);
  return {
    ...parts,
    user,
    server,
    /** What the command line needs to speak to it. */
    client: { AETHER_API_BASE: server.api, AETHER_TOKEN: adminToken },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await user[Symbol.asyncDispose]();
      await parts[Symbol.asyncDispose]();
    },
  };
}
