import { describe } from "bun:test";
import { askService } from "./ask-service.ts";
import { createUser, startServe, type User } from "./binary.ts";
import { longKubernetesTier } from "./kubernetes.ts";
import { createKubernetesServer, serveKubernetes } from "./kubernetes-server.ts";

type Server = Awaited<ReturnType<typeof startServe>>;

/** The compiled server and where it runs applications, as a person uses them: nothing here tells which runtime it is. */
export interface Platform extends AsyncDisposable {
  user: User;
  /** The server as it is now; another one after `killAndRestart`. */
  server(): Server;
  /** By these the command line finds the server. */
  client: Record<string, string>;
  /** Where an application is asked, as its people do: a name in DNS is a header here. */
  route(app: string, path: string): Promise<{ url: string; headers: Record<string, string> }>;
  ask(app: string, path?: string): Promise<Response>;
  /** What `deploy` says of the app's address. */
  urlOf(app: string): RegExp;
  /** `kill -9`, and another one on the same data. */
  killAndRestart(more?: Record<string, string>): Promise<void>;
}

/** Opens one whose server has these variables beside its own. */
export type OpenPlatform = (env?: Record<string, string>) => Promise<Platform>;

/** The same tests on each runtime: on Kubernetes where there is a cluster for tests. */
export function onEachRuntime(tests: (open: OpenPlatform, runtime: "local" | "kubernetes") => void): void {
  describe("on this machine", () => tests(openLocal, "local"));
  describe.skipIf(!longKubernetesTier().available)("on Kubernetes", () => tests(openOnKubernetes, "kubernetes"));
}

async function openLocal(env: Record<string, string> = {}): Promise<Platform> {
  const user = await createUser();
  let server = await startServe(user, { env });
  const client = { AETHER_API_BASE: server.api };
  return {
    user,
    client,
    server: () => server,
    route: async (app, path) => ({ url: new URL(path, server.gateway).href, headers: { host: `${app}.localhost` } }),
    ask: (app, path) => server.ask(app, path),
    urlOf: (app) => new RegExp(`^http://${app}\\.localhost:${new URL(server.gateway).port}$`),
    async killAndRestart(more = {}) {
      await server.kill();
      server = await startServe(user, { env: { ...env, ...more } });
      client.AETHER_API_BASE = server.api;
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await user[Symbol.asyncDispose]();
    },
  };
}

async function openOnKubernetes(env: Record<string, string> = {}): Promise<Platform> {
  const { server: first, ...parts } = await createKubernetesServer(env);
  const { user, client, cluster, namespace } = parts;
  let server: Server = first;
  async function route(app: string, path: string) {
    const service = await cluster.get({ kind: "Service", namespace, name: app });
    return { url: `http://127.0.0.1:${service?.spec?.ports?.[0]?.nodePort}${path}`, headers: {} };
  }
  return {
    user,
    client,
    server: () => server,
    route,
    ask: async (app, path = "/") => askService((await route(app, path)).url),
    urlOf: () => /^http:\/\/[0-9.]+:3\d{4}$/,
    async killAndRestart(more = {}) {
      await server.kill();
      server = await serveKubernetes(user, parts, more);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await parts[Symbol.asyncDispose]();
    },
  };
}
