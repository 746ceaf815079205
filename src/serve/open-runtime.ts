import { join } from "node:path";
import agentPath from "../../dist/embedded/agent.mjs" with { type: "file" };
import type { ServerConfig } from "../config/server.ts";
import type { DataFolder } from "../db/data-folder.ts";
import { type Gateway, startGateway } from "../runtime/local/gateway.ts";
import { createLocalRuntime, type LocalRuntime } from "../runtime/local/local-runtime.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Addresses } from "./addresses.ts";
import { listenFailure } from "./listen.ts";

export interface RuntimeOptions {
  config: ServerConfig;
  env: Record<string, string | undefined>;
  dataFolder: DataFolder;
  addresses: Addresses;
  agentToken: string;
  log: Logger;
}

/** Local processes, and the gateway that routes to them. Nothing runs before the runtime is started. */
export async function openRuntime(
  { config, env, dataFolder, addresses, agentToken, log }: RuntimeOptions,
  stack: AsyncDisposableStack,
): Promise<{ runtime: LocalRuntime; gateway: Gateway }> {
  const runtime = createLocalRuntime({
    folder: join(dataFolder.path, "runtime"),
    agent: { source: await Bun.file(agentPath).text() },
    env: machineEnvironment(env),
    gatewayUrl: (app) => gateway.url(app),
    storageOrigins: [new URL(config.objectStore?.baseUrl ?? addresses.internal).origin],
    authorization: `Bearer ${agentToken}`,
    graceMs: config.graceMs,
    startTimeoutMs: config.startTimeoutMs,
    log: log.with({ part: "runtime" }),
  });
  await runtime.announce();
  const gateway = await openGateway(config, runtime, log);
  stack.defer(() => gateway.stop(config.graceMs));
  return { runtime, gateway };
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
