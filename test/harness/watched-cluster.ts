import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { createCuttingProxy } from "./cutting-proxy.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** What was asked of the API server. */
export interface Asked {
  method: string;
  path: string;
  isWatch: boolean;
  /** Milliseconds that only go up. */
  at: number;
}

/**
 * The cluster of the tests as a server sees it through `kubeconfig`: what it asks is written down, and the API server can
 * go away and come back, with every connection cut.
 */
export async function createWatchedCluster() {
  const { server: target, tls } = realCluster();
  const asked: Asked[] = [];
  const forward = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname: path, search, searchParams } = new URL(request.url);
      asked.push({ method: request.method, path, isWatch: searchParams.has("watch"), at: performance.now() });
      const { status, headers, body } = await fetch(new URL(path + search, target), {
        method: request.method,
        headers: request.headers,
        body: request.body,
        signal: request.signal,
        decompress: false,
        tls,
      });
      return new Response(body, { status, headers });
    },
    error: () => new Response(null, { status: 502 }), // who asked has gone
  });
  const proxy = await createCuttingProxy({ host: "127.0.0.1", port: forward.port ?? 0 });
  const folder = await temporaryFolder();
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeFile(kubeconfig, plainKubeconfig(`http://127.0.0.1:${proxy.port}`));
  return {
    kubeconfig,
    asked,
    goAway: proxy.goAway,
    comeBack: proxy.comeBack,
    refusals: proxy.refusals,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await forward.stop(true);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function realCluster() {
  const config = new KubeConfig();
  config.loadFromFile(process.env.KUBECONFIG ?? "");
  const { caData, caFile, server = "" } = config.getCurrentCluster() ?? {};
  const { certData, certFile, keyData, keyFile } = config.getCurrentUser() ?? {};
  const part = (data?: string, file?: string) => (data ? Buffer.from(data, "base64") : Bun.file(file ?? ""));
  return { server, tls: { ca: part(caData, caFile), cert: part(certData, certFile), key: part(keyData, keyFile) } };
}

const plainKubeconfig = (server: string): string =>
  JSON.stringify({
    clusters: [{ name: "test", cluster: { server } }],
    users: [{ name: "test", user: {} }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  });
