import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AgentEvent, AgentSpec } from "../../core/agent-protocol.ts";
import type { DeploymentFailure } from "../../core/deployment.ts";
import { signalGroup } from "../../lib/processes.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { ReplicaStatus } from "../runtime.ts";
import { longestPauseMs } from "./back-off.ts";
import { type AgentCommandLine, type Instance, startInstance } from "./instance.ts";
import type { Ports } from "./ports.ts";
import type { Upstream } from "./routes.ts";
import { createStageClock } from "./stage-clock.ts";

export interface ReplicaOptions {
  /** All of the spec but what a single start decides. */
  spec: Omit<AgentSpec, "port" | "recordPath" | "publicKeys">;
  /** The keys that count when an agent starts; undefined where none is demanded. */
  publicKeys: () => string[] | undefined;
  version: number;
  /** It joins a release that has its verdict: it is tried until it runs. */
  tireless?: boolean;
  command: AgentCommandLine;
  ports: Ports;
  processesFolder: string;
  log: Logger;
  now: () => Date;
  /** State or upstream changed. */
  onChange: () => void;
}

/** One wanted replica: its agent is started again whenever it ends without a verdict. */
export interface Replica {
  status(): ReplicaStatus;
  /** Where it answers now, or undefined. */
  upstream(): Upstream | undefined;
  /** The release is unpacked: further replicas find it there, and it could be started. */
  readonly prepared: Promise<void>;
  /** Undefined when it answered for the first time, else why it will not. Never settles when it is stopped before. */
  readonly verdict: Promise<DeploymentFailure | undefined>;
  /** Starts an application that `waitForStart` holds back. */
  begin(): void;
  stop(): Promise<void>;
}

const agentTries = 3;

/** Starts a replica. */
export function startReplica(options: ReplicaOptions): Replica {
  const { spec, ports, log } = options;
  const prepared = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<DeploymentFailure | undefined>();
  const stopping = new AbortController();
  const clock = createStageClock();
  let state: ReplicaStatus["state"] = "starting";
  let since = options.now();
  let restarts = 0;
  let upstream: Upstream | undefined;
  let everAnswered = false;
  let lastFailure: DeploymentFailure | undefined;
  let instance: Instance | undefined;
  let waitForStart = spec.waitForStart ?? false;

  function enter(next: ReplicaStatus["state"], at?: Upstream): void {
    if (next !== state) since = options.now();
    state = next;
    upstream = at;
    options.onChange();
  }

  function observe(event: AgentEvent): void {
    log.debug("agent", { replica: spec.replica, ...withoutOutput(event) });
    clock.observe(event);
    if (event.event === "prepared") prepared.resolve();
    if (stopping.signal.aborted) return;
    if (event.event === "answering") {
      everAnswered = true;
      lastFailure = undefined;
      enter("running", { replica: spec.replica, host: event.host, port: event.port });
      verdict.resolve(undefined);
    }
    if (event.event === "exited") {
      restarts += 1;
      enter(everAnswered ? "restarting" : "starting");
      log.warn("an application ended and is started again", { replica: spec.replica, ...event });
    }
  }

  /** One agent from start to end; what it failed with, if it said so. */
  async function runOnce(): Promise<DeploymentFailure | undefined> {
    const port = spec.config?.port ?? (await ports.take());
    const recordPath = join(options.processesFolder, `${spec.replica}-${randomUUID()}.json`);
    let failure: DeploymentFailure | undefined;
    const publicKeys = options.publicKeys();
    const start = { ...spec, waitForStart, port, recordPath, ...(publicKeys ? { publicKeys } : {}) };
    clock.placed();
    instance = startInstance(start, options.command, (event) => {
      if (event.event === "failed") failure = { reason: event.reason, message: event.message, log: event.log };
      observe(event);
    });
    if (stopping.signal.aborted) void instance.stop();
    const { code, signal } = await instance.ended;
    if (instance.appGroup !== undefined) signalGroup(instance.appGroup, "SIGKILL"); // an agent that was killed left it
    if (spec.config?.port === undefined) ports.release(port);
    await rm(recordPath, { force: true });
    if (failure === undefined && !stopping.signal.aborted) {
      log.warn("an agent ended unexpectedly", { replica: spec.replica, code, signal, said: instance.complaint });
    }
    return failure;
  }

  async function run(): Promise<void> {
    for (let tries = 1; !stopping.signal.aborted; tries += 1) {
      const answeredBefore = everAnswered;
      const failure = await runOnce();
      if (stopping.signal.aborted) return;
      lastFailure = failure;
      if (!everAnswered && !options.tireless && isFinal(failure, tries)) {
        enter("failed");
        return verdict.resolve(failure ?? agentEnded);
      }
      if (!answeredBefore && everAnswered) tries = 1;
      restarts += 1;
      enter(everAnswered ? "restarting" : "starting");
      const pauseMs = Math.min(longestPauseMs(failure, 30_000), 100 * 2 ** (tries - 1)) * (0.75 + Math.random() * 0.5);
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined); // stopped: the loop ends
    }
  }

  function isFinal(failure: DeploymentFailure | undefined, tries: number): boolean {
    if (failure === undefined) return tries >= agentTries;
    return tries > 1 || !lostItsPort(failure, spec.config?.port);
  }

  const running = run().catch((error: unknown) => {
    log.error("a replica cannot be run", { replica: spec.replica, error });
    enter("failed");
    verdict.resolve({ reason: "crash_loop", message: `The replica could not be started: ${String(error)}`, log: [] });
  });

  function status(): ReplicaStatus {
    const stages = clock.stages();
    return {
      name: spec.replica,
      digest: spec.digest,
      version: options.version,
      state,
      restarts,
      since: since.toISOString(),
      ...(stages && { stages }),
      ...(lastFailure === undefined ? {} : { failure: lastFailure }),
    };
  }

  return {
    status,
    upstream: () => upstream,
    prepared: prepared.promise,
    verdict: verdict.promise,
    begin() {
      waitForStart = false;
      instance?.start();
    },
    async stop() {
      if (!stopping.signal.aborted && state !== "failed") enter("stopping");
      stopping.abort();
      await instance?.stop();
      await running;
    },
  };
}

/** What an application printed belongs in its own log only. */
function withoutOutput({ event, ...fields }: AgentEvent): Record<string, unknown> {
  return { event, ...fields, log: undefined };
}

/** Between our choice of a free port and the application's bind another program took it: worth one more try. */
function lostItsPort(failure: DeploymentFailure, fixedPort: number | undefined): boolean {
  return fixedPort === undefined && failure.log.some((line) => line.includes("EADDRINUSE"));
}

const agentEnded: DeploymentFailure = {
  reason: "crash_loop",
  message: "The process that supervises the application was ended from outside, three times.",
  log: [],
};
