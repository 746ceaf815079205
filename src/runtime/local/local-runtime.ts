import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DeploymentFailure } from "../../core/deployment.ts";
import { writeFileDurably } from "../../lib/durable-write.ts";
import { asDiskError } from "../../lib/errors.ts";
import { inRange } from "../../lib/node-version.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Release, Runtime, RuntimeEvent } from "../runtime.ts";
import { type Generation, startGeneration, unfitGeneration } from "./generation.ts";
import { createHostedApp, type HostedApp } from "./hosted-app.ts";
import { createLayout } from "./layout.ts";
import { cleanLeftovers } from "./leftovers.ts";
import { assertLocal, readLogs } from "./logs.ts";
import { findMachineNode, type MachineNode } from "./machine-node.ts";
import { createPorts } from "./ports.ts";
import { logFolderName, namesIn, pruneApp, removeHalfDone } from "./prune.ts";
import { startReplica } from "./replica.ts";
import { createRoutes, type Routes } from "./routes.ts";
import { createLocalSessions } from "./sessions.ts";

export interface LocalRuntimeOptions {
  /** Part of the data folder; created when absent. */
  folder: string;
  /** The agent as a file, or its text, which is then written to `folder`. */
  agent: { path: string } | { source: string };
  /** Default: `node` on `env.PATH`. */
  nodePath?: string;
  /** What agents and applications get of the server's environment: nothing else is passed on. */
  env: { PATH: string; TZ?: string; LANG?: string };
  /** Where people reach an application: the gateway. */
  gatewayUrl: (app: string) => string;
  /** Where downloads may be redirected to. */
  storageOrigins: string[];
  /** What agents send to the server as `Authorization`; applications never see it. */
  authorization?: string;
  log: Logger;
  /** From SIGTERM to SIGKILL, and how long requests in flight may keep an old release. */
  graceMs?: number;
  startTimeoutMs?: number;
  now?: () => Date;
}

/** Applications as child processes of the server. `routes` is what the gateway routes by. */
export interface LocalRuntime extends Runtime {
  readonly kind: "local";
  readonly routes: Routes;
  /** Declares what an earlier server hosted, so that the gateway holds requests for it until it is applied again. */
  announce(): Promise<void>;
}

/** How long after a start an application may still be applied. */
const appliedWithinMs = 15_000;

/** Nothing happens before `start`. */
export function createLocalRuntime(options: LocalRuntimeOptions): LocalRuntime {
  const { log, graceMs = 10_000, startTimeoutMs = 60_000, now = () => new Date() } = options;
  const layout = createLayout(options.folder);
  const routes = createRoutes();
  const ports = createPorts();
  const agentPath = "path" in options.agent ? options.agent.path : layout.agent;
  const apps = new Map<string, HostedApp>();
  /** Renewed by each `apply`, so that an agent that starts later counts with the keys of its time. */
  const publicKeys = new Map<string, string[] | undefined>();
  const removing = new Map<string, Promise<void>>();
  const machineEnv = definedOf(options.env);
  let machine: Promise<MachineNode> | undefined;
  let observe: (event: RuntimeEvent) => void = () => undefined;

  function machineNode(): Promise<MachineNode> {
    machine ??= findMachineNode({ nodePath: options.nodePath, path: options.env.PATH });
    machine.catch(() => {
      machine = undefined; // installed later: found later
    });
    return machine;
  }

  function startRelease(release: Release, node: MachineNode, onChange: () => void): Generation {
    const unfit = nodeMismatch(release, node) ?? portMismatch(release);
    if (unfit) return unfitGeneration(release, now(), unfit);
    const own = layout.app(release.app);
    const logs = join(own.logs, logFolderName(release.version, now()));
    return startGeneration(release, (index, { tireless }) => {
      const replica = `${release.app}-v${release.version}-${index}`;
      return startReplica({
        spec: {
          app: release.app,
          digest: release.digest,
          replica,
          downloadUrl: release.downloadUrl,
          storageOrigins: options.storageOrigins,
          ...(options.authorization === undefined ? {} : { authorization: options.authorization }),
          releasesFolder: own.releases,
          logFolder: join(logs, replica),
          ...(release.config ? { config: release.config } : {}),
          waitForStart: release.config?.port !== undefined,
          env: { ...machineEnv, HOME: own.home, ...release.env },
          graceMs,
          startTimeoutMs,
        },
        publicKeys: () => publicKeys.get(release.app),
        version: release.version,
        tireless,
        command: { nodePath: node.path, agentPath, env: machineEnv },
        ports,
        processesFolder: layout.processes,
        log,
        now,
        onChange,
      });
    });
  }

  function hostedApp(app: string, node: MachineNode): HostedApp {
    const hosted =
      apps.get(app) ??
      createHostedApp({
        app,
        routes,
        graceMs,
        log,
        emit: (event) => observe(event),
        start: (release, onChange) => startRelease(release, node, onChange),
        onSettled: (inUse) => pruneApp(layout.app(app), inUse),
      });
    apps.set(app, hosted);
    return hosted;
  }

  const sessions = createLocalSessions({
    layout,
    ports,
    env: machineEnv,
    graceMs,
    nodePath: async () => (await machineNode()).path,
    serving: (app) => apps.get(app)?.serving(),
  });

  return {
    kind: "local",
    routes,
    async start(observer) {
      observe = observer;
      await cleanLeftovers(layout.processes, { appsFolder: layout.apps, graceMs, log });
      for (const app of await namesIn(layout.apps)) await removeHalfDone(layout.app(app));
      if ("source" in options.agent) await writeAgent(agentPath, options.agent.source);
    },
    async announce() {
      const known = await namesIn(layout.apps);
      for (const app of known) routes.expect(app, true);
      const giveUp = () => {
        for (const app of known) if (!apps.has(app)) routes.expect(app, false);
      };
      setTimeout(giveUp, appliedWithinMs).unref();
    },
    async check() {
      await machineNode();
    },
    async platform() {
      return (await machineNode()).platform;
    },
    async apply(release) {
      const node = await machineNode();
      await removing.get(release.app); // one of the same name was removed just now
      await mkdir(layout.app(release.app).home, { recursive: true });
      publicKeys.set(release.app, release.publicKeys);
      hostedApp(release.app, node).apply(release);
    },
    scaleProblem: (wanted) => portMismatch(wanted)?.message,
    async scale(app, replicas) {
      apps.get(app)?.scale(replicas);
    },
    async remove(app) {
      const hosted = apps.get(app);
      apps.delete(app);
      publicKeys.delete(app);
      const before = removing.get(app);
      const done = (async () => {
        await Promise.all([before, hosted?.stop()]);
        await rm(layout.app(app).folder, { recursive: true, force: true });
      })();
      removing.set(app, done);
      routes.forget(app);
      await done.finally(() => removing.get(app) === done && removing.delete(app));
    },
    async replicas(app) {
      return apps.get(app)?.replicas() ?? [];
    },
    checkLogs: assertLocal,
    logs: (app, query, signal) => readLogs(layout.app(app).logs, query, signal),
    exec: sessions.exec,
    run: sessions.run,
    forward: sessions.forward,
    url: (app) => options.gatewayUrl(app),
    async stop() {
      await Promise.all([sessions.stop(), ...[...apps.values()].map((app) => app.stop())]);
    },
  };
}

async function writeAgent(path: string, source: string): Promise<void> {
  try {
    await writeFileDurably(path, source);
  } catch (error) {
    throw asDiskError(error, "write", path);
  }
}

function nodeMismatch({ config }: Release, { platform }: MachineNode): DeploymentFailure | undefined {
  if (config?.node === undefined || inRange(platform.node, config.node)) return undefined;
  return {
    reason: "unschedulable",
    message: `The application asks for Node.js ${config.node}, and this machine has ${platform.node}: install a Node.js that fits and restart the server, or change "engines" in package.json.`,
    log: [],
  };
}

function portMismatch({ config, replicas }: Pick<Release, "config" | "replicas">): DeploymentFailure | undefined {
  if (config?.port === undefined || replicas < 2) return undefined;
  return {
    reason: "unschedulable",
    message: `${replicas} replicas cannot all listen on port ${config.port} of this machine: have the application listen on the PORT it is given, remove "port" from aether.json, or run one replica.`,
    log: [],
  };
}

function definedOf(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
