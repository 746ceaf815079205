import { join } from "node:path";
import { createUser, startServe } from "./binary.ts";
import { createCuttingProxy } from "./cutting-proxy.ts";
import { freePort } from "./free-port.ts";
import { adminToken, createKubernetesParts } from "./kubernetes-server.ts";
import { postgresAndS3Parts } from "./served-parts.ts";

type Server = Awaited<ReturnType<typeof startServe>>;

/** Two control planes on one Postgres, one bucket and one namespace, behind one address, which pods and people use. */
export async function createTwoKubernetesServers(program?: string) {
  const data = await postgresAndS3Parts();
  const parts = await createKubernetesParts();
  const user = await createUser(program);
  const bucket = new URL(data.env.AETHER_S3_BASE_URL ?? "");
  // Pods reach neither the loopback address of the store nor two servers by one URL.
  const store = await createCuttingProxy({ host: bucket.hostname, port: Number(bucket.port) }, { host: parts.host });
  const ports = { one: freePort(), two: freePort() };
  let front = ports.one;
  const relay = await createCuttingProxy(() => ({ host: "127.0.0.1", port: front }), { host: parts.host });
  const address = `http://${parts.host}:${relay.port}`;
  const env = {
    ...parts.env,
    ...data.env,
    AETHER_S3_BASE_URL: `http://${parts.host}:${store.port}`,
    AETHER_PUBLIC_URL: address,
    AETHER_INTERNAL_URL: address,
  };
  const running = new Set<Server>();

  async function start(name: keyof typeof ports, more: Record<string, string> = {}): Promise<Server> {
    const args = ["--port", String(ports[name])];
    const server = await startServe(user, { args, env: { ...env, ...more }, dataFolder: join(user.path, name) });
    running.add(server);
    return server;
  }

  return {
    ...parts,
    user,
    start,
    /** The command line's way to this very server. */
    clientOf: (name: keyof typeof ports) => ({
      AETHER_API_BASE: `http://127.0.0.1:${ports[name]}`,
      AETHER_TOKEN: adminToken,
    }),
    /** The shared address leads to this one from now on. */
    leadTo(name: keyof typeof ports): void {
      front = ports[name];
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((server) => server.stop()));
      await relay[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await user[Symbol.asyncDispose]();
      await parts[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}
