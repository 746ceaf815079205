import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCluster } from "../../src/k8s/open-cluster.ts";
import type { TransportOptions } from "../../src/k8s/transport.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Certificates for 127.0.0.1, localhost and kubernetes.default.svc; `expired` is the server's of 2020. */
export const clusterTls = (name: string): string => join(import.meta.dir, "../fixtures/tls/cluster", name);

export interface ApiServerOptions {
  /** Speaks TLS with this certificate. */
  certificate?: "server" | "expired";
  /** Nobody without a certificate of our authority gets in. */
  demandsClient?: boolean;
}

/** A real HTTP server that plays an API server by `answer`; for what a real one cannot be told to do. */
export function serveApi(answer: (request: Request) => Response | Promise<Response>, options: ApiServerOptions = {}) {
  const { certificate, demandsClient = false } = options;
  const requests: { method: string; path: string; query: URLSearchParams; headers: Headers; at: number }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    ...(certificate
      ? {
          tls: {
            cert: Bun.file(clusterTls(`${certificate}.pem`)),
            key: Bun.file(clusterTls(`${certificate}.key`)),
            ...(demandsClient
              ? { ca: Bun.file(clusterTls("authority.pem")), requestCert: true, rejectUnauthorized: true }
              : {}),
          },
        }
      : {}),
    fetch(request) {
      const { pathname: path, searchParams: query } = new URL(request.url);
      requests.push({ method: request.method, path, query, headers: request.headers, at: performance.now() });
      return answer(request);
    },
  });
  return {
    url: `${certificate ? "https" : "http"}://127.0.0.1:${server.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** The cluster of a kubeconfig with that one cluster and user, written to a folder of its own. */
export async function openByKubeconfig(
  cluster: Record<string, unknown>,
  user: Record<string, unknown> = {},
  options: TransportOptions & { pluginEnv?: Record<string, string> } = {},
) {
  const folder = await temporaryFolder();
  const path = join(folder.path, "kubeconfig");
  const config = {
    clusters: [{ name: "test", cluster }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  await writeFile(path, JSON.stringify(config)); // JSON is YAML
  const { pluginEnv = {}, ...transport } = options;
  const location = { kubeconfigs: [path], pluginEnv };
  return { cluster: await openCluster(location, transport), [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

/** What the API server says when it refuses. */
export function refusal(
  status: number,
  body: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Response {
  return Response.json({ kind: "Status", status: "Failure", code: status, ...body }, { status, headers });
}
