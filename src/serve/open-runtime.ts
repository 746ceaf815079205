import { join } from "node:path";
import agentPath from "../../dist/embedded/agent.mjs" with { type: "file" };
import type { KubernetesConfig } from "../config/kubernetes.ts";
import { isLoopback, type ServerConfig } from "../config/server.ts";
import type { IdentifyPod } from "../core/pod-identity.ts";
import type { DataFolder } from "../db/data-folder.ts";
import { openCluster } from "../k8s/open-cluster.ts";
import { AetherError } from "../lib/errors.ts";
import { createKubernetesRuntime } from "../runtime/kubernetes/kubernetes-runtime.ts";
import { createPodIdentity } from "../runtime/kubernetes/pod-identity.ts";
import { type Gateway, startGateway } from "../runtime/local/gateway.ts";
import { createLocalRuntime, type LocalRuntime } from "../runtime/local/local-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Addresses } from "./addresses.ts";
import { listenFailure } from "./listen.ts";
import { readAuthorities } from "./read-authorities.ts";

export interface RuntimeOptions {
  config: ServerConfig;
  env: Record<string, string | undefined>;
  dataFolder: DataFolder;
  addresses: Addresses;
  agentToken: string;
  log: Logger;
}

/** Where applications run, and what routes to them on this machine, if that is ours to do. */
export interface OpenedRuntime {
  runtime: Runtime;
  gateway?: Gateway;
  /** Whose a pod's token is. */
  identifyPod?: IdentifyPod;
  /** The pattern of applications' addresses; null where each has its own way. */
  appsUrl: string | null;
}

/** As the configuration says. Nothing runs before the runtime is started. */
export async function openRuntime(options: RuntimeOptions, stack: AsyncDisposableStack): Promise<OpenedRuntime> {
  const { kubernetes } = options.config;
  return kubernetes ? openKubernetes(options, kubernetes) : openLocal(options, stack);
}

async function openKubernetes(
  { config, addresses, log }: RuntimeOptions,
  { location, ingress, authoritiesFile, ...settings }: KubernetesConfig,
): Promise<OpenedRuntime> {
  assertReachable(addresses.internal);
  const certificateAuthorities = authoritiesFile === undefined ? undefined : await readAuthorities(authoritiesFile);
  const cluster = await openCluster(location);
  const runtime = createKubernetesRuntime({
    cluster,
    settings: {
      ...settings,
      ...(ingress ? { ingress } : {}),
      graceSeconds: Math.ceil(config.graceMs / 1000),
      storageOrigins: [storageOrigin(config, addresses)],
      certificateAuthorities,
    },
    agent: await Bun.file(agentPath).text(),
    startTimeoutMs: config.startTimeoutMs,
    log: log.with({ part: "runtime" }),
  });
  const identifyPod = createPodIdentity({ cluster, namespace: settings.namespace });
  return { runtime, identifyPod, appsUrl: ingress ? `http://<app>.${ingress.domain}` : null };
}

/** In a pod, this machine's own loopback address is the pod. */
function assertReachable(internalUrl: string): void {
  const { hostname } = new URL(internalUrl);
  if (!isLoopback(hostname.replace(/^\[|\]$/g, ""))) return;
  throw new AetherError("config_invalid", `Pods of the cluster cannot reach this server at ${internalUrl}.`, {
    hint: "Listen for them, --host 0.0.0.0, and set AETHER_INTERNAL_URL to the URL they reach this server at.",
  });
}

/** The server itself sends what lies in its data folder. */
const storageOrigin = ({ objectStore }: ServerConfig, { internal }: Addresses): string =>
  new URL(objectStore?.baseUrl ?? internal).origin;

/** Local processes, and the gateway that routes to them. */
async function openLocal(
  { config, env, dataFolder, addresses, agentToken, log }: RuntimeOptions,
  stack: AsyncDisposableStack,
): Promise<OpenedRuntime> {
  const runtime = createLocalRuntime({
    folder: join(dataFolder.path, "runtime"),
    agent: { source: await Bun.file(agentPath).text() },
    env: machineEnvironment(env),
    gatewayUrl: (app) => gateway.url(app),
    storageOrigins: [storageOrigin(config, addresses)],
    authorization: `Bearer ${agentToken}`,
    graceMs: config.graceMs,
    startTimeoutMs: config.startTimeoutMs,
    log: log.with({ part: "runtime" }),
  });
  await runtime.announce();
  const gateway = await openGateway(config, runtime, log);
  stack.defer(() => gateway.stop(config.graceMs));
  return { runtime, gateway, appsUrl: gateway.url("<app>") };
}

/** What applications' processes get of the server's environment; everything else stays here. */
function machineEnvironment({ PATH = "/usr/local/bin:/usr/bin:/bin", TZ, LANG }: Record<string, string | undefined>) {
  return { PATH, ...(TZ === undefined ? {} : { TZ }), ...(LANG === undefined ? {} : { LANG }) };
}

async function openGateway(
  { host, gatewayPort: port, authRequired }: ServerConfig,
  { routes }: LocalRuntime,
  log: Logger,
): Promise<Gateway> {
  try {
    return await startGateway({ routes, host, port, listsApps: !authRequired, log: log.with({ part: "gateway" }) });
  } catch (error) {
    throw listenFailure(error, { host, port, what: "gateway", flag: "--gateway-port" });
  }
}
