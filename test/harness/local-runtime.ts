import { join } from "node:path";
import type { AppConfig } from "../../src/core/app-config.ts";
import { startGateway } from "../../src/runtime/local/gateway.ts";
import { createLocalRuntime } from "../../src/runtime/local/local-runtime.ts";
import type { Release, RuntimeEvent } from "../../src/runtime/runtime.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { createArtifactStore, type Files } from "./artifact-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { waitFor } from "./wait-for.ts";

const root = join(import.meta.dir, "..", "..");

/** The agent as the binary embeds it, made by `scripts/setup`; made anew when its sources changed. */
export async function agentPath(): Promise<string> {
  const made = Bun.spawn([process.execPath, "scripts/prepare-embedded.ts"], { cwd: root, stderr: "pipe" });
  if ((await made.exited) !== 0) throw new Error(await new Response(made.stderr).text());
  return join(root, "dist", "embedded", "agent.mjs");
}

/** A local runtime with a gateway and a store, all on this machine, ended with the test. */
export async function createLocalHarness(
  settings: { graceMs?: number; startTimeoutMs?: number; holdMs?: number } = {},
) {
  const folder = await temporaryFolder();
  const store = await createArtifactStore();
  const logged: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => void logged.push(line) });
  const events: RuntimeEvent[] = [];
  const runtime = createLocalRuntime({
    folder: folder.path,
    agent: { path: await agentPath() },
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", TZ: "UTC", LANG: "C.UTF-8" },
    gatewayUrl: (app) => gateway.url(app),
    storageOrigins: [store.storageOrigin],
    graceMs: settings.graceMs ?? 2_000,
    startTimeoutMs: settings.startTimeoutMs ?? 10_000,
    log,
  });
  const gateway = await startGateway({
    routes: runtime.routes,
    host: "127.0.0.1",
    port: 0,
    log,
    listsApps: true,
    holdMs: settings.holdMs ?? 5_000,
  });
  await runtime.start((event) => void events.push(event));
  let version = 0;

  async function release(files: Files, more: Partial<Release> & { config?: AppConfig } = {}): Promise<Release> {
    version += 1;
    const artifact = await store.add(files);
    return { app: "shop", deploymentId: `d${version}`, version, replicas: 1, env: {}, ...artifact, ...more };
  }

  return {
    folder,
    store,
    runtime,
    gateway,
    events,
    logged,
    release,
    verdict: (deploymentId: string) =>
      waitFor(`a verdict on ${deploymentId}`, () => events.findLast((event) => event.deploymentId === deploymentId), {
        withinMs: 20_000,
      }),
    /** Applies a release and returns its verdict. */
    async deploy(files: Files, more: Partial<Release> = {}) {
      const wanted = await release(files, more);
      const before = events.length;
      await runtime.apply(wanted);
      return waitFor(
        "a verdict",
        () => events.slice(before).find((event) => event.deploymentId === wanted.deploymentId),
        { withinMs: 20_000 },
      );
    },
    get: (path: string, app = "shop", init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${gateway.port}${path}`, {
        ...init,
        headers: { host: `${app}.localhost`, ...init.headers },
      }),
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      await runtime.stop();
      await store[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
