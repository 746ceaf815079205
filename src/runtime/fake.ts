import { pipeline } from "node:stream/promises";
import type { AgentReport } from "../core/agent-report.ts";
import type { DeploymentFailure } from "../core/deployment.ts";
import type { Digest } from "../core/digest.ts";
import type { LogLine } from "../core/log-line.ts";
import type {
  AnnotatedDigest,
  Release,
  ReplicaStatus,
  Runtime,
  RuntimeEvent,
  RuntimePlatform,
  Session,
} from "./runtime.ts";

/** A runtime that runs nothing: it remembers what it was told, and the test gives the verdicts. */
export interface FakeRuntime extends Runtime {
  readonly kind: "fake";
  /** Every `apply`, in order. */
  readonly applied: Release[];
  readonly removed: string[];
  /** Every `scale`, in order. */
  readonly scaled: { app: string; replicas: number }[];
  /** Every command of `exec` and `run`, in order. It prints itself and what it is sent, and ends with 7. */
  readonly commands: string[][];
  /** Every `report`, in order. */
  readonly reports: AgentReport[];
  /** Somebody tells the replicas of an app to run another digest. */
  annotate(app: string, digest: Digest): void;
  /** What `logs` gives for an application. */
  readonly lines: Map<string, LogLine[]>;
  /** The verdict on the newest release of `app`, or on the deployment named. */
  succeed(app: string, deploymentId?: string): void;
  fail(app: string, failure?: Partial<DeploymentFailure>, deploymentId?: string): void;
  /** Every later `check` and `apply` throws this; undefined ends it. */
  breakWith(error: Error | undefined): void;
}

export interface FakeRuntimeOptions extends Pick<Runtime, "pins"> {
  verdict?: "running";
  platform?: RuntimePlatform;
}

/** `verdict: "running"` lets every release run at once. */
export function createFakeRuntime(options: FakeRuntimeOptions = {}): FakeRuntime {
  const applied: Release[] = [];
  const removed: string[] = [];
  const scaled: { app: string; replicas: number }[] = [];
  const commands: string[][] = [];
  const lines = new Map<string, LogLine[]>();
  const running = new Map<string, Release>();
  const reports: AgentReport[] = [];
  let observe: (event: RuntimeEvent) => void = () => undefined;
  let annotated: (told: AnnotatedDigest) => void = () => undefined;
  let broken: Error | undefined;

  function releaseOf(app: string, deploymentId?: string): Release {
    const release = applied.findLast(
      (one) => one.app === app && (deploymentId ?? one.deploymentId) === one.deploymentId,
    );
    if (release === undefined) throw new Error(`The fake runtime was not asked to run ${deploymentId ?? app}.`);
    return release;
  }

  function succeed(app: string, deploymentId?: string): void {
    const release = releaseOf(app, deploymentId);
    running.set(app, release);
    observe({ type: "running", app, deploymentId: release.deploymentId });
  }

  async function echo({ command, stdin, stdout, stderr, signal }: Session): Promise<number> {
    commands.push(command);
    stdout.write(`${command.join(" ")}\n`);
    await pipeline(stdin, stdout, { signal });
    stderr.end();
    return 7;
  }

  return {
    kind: "fake",
    ...(options.pins ? { pins: options.pins } : {}),
    applied,
    removed,
    scaled,
    commands,
    reports,
    lines,
    annotate: (app, digest) => annotated({ app, digest }),
    succeed,
    fail(app, failure = {}, deploymentId) {
      const verdict = { reason: "crash_loop" as const, message: "It crashed.", log: [], ...failure };
      observe({ type: "failed", app, deploymentId: releaseOf(app, deploymentId).deploymentId, failure: verdict });
    },
    breakWith(error) {
      broken = error;
    },
    async start(observer, onAnnotated = () => undefined) {
      observe = observer;
      annotated = onAnnotated;
    },
    async report(_app, report) {
      const isKnown = reports.some(({ pod, at }) => pod === report.pod && at === report.at);
      if (!isKnown) reports.push(report);
      return isKnown ? "repeated" : "new";
    },
    async check() {
      if (broken) throw broken;
    },
    platform: async () => options.platform ?? { os: "linux", arch: "x64", libc: "glibc", node: "22.0.0" },
    async apply(release) {
      if (broken) throw broken;
      applied.push(release);
      if (options.verdict === "running") succeed(release.app);
    },
    async scale(app, replicas) {
      if (broken) throw broken;
      scaled.push({ app, replicas });
      const release = running.get(app);
      if (release) running.set(app, { ...release, replicas });
    },
    async remove(app) {
      removed.push(app);
      running.delete(app);
    },
    async replicas(app) {
      const release = running.get(app);
      return release ? Array.from({ length: release.replicas }, (_, index) => replica(release, index)) : [];
    },
    checkLogs() {},
    async *logs(app) {
      yield* lines.get(app) ?? [];
    },
    exec: (_app, _replica, session) => echo(session),
    run: (_app, session) => echo(session),
    forward: (_app, _replica, { input, output, signal }) => pipeline(input, output, { signal }),
    url: (app) => (applied.some((release) => release.app === app) ? `http://${app}.localhost:8081` : undefined),
    async stop() {
      running.clear();
    },
  };
}

function replica({ app, version, digest }: Release, index: number): ReplicaStatus {
  const since = "2026-01-01T00:00:00.000Z";
  return { name: `${app}-v${version}-${index}`, digest, version, state: "running", restarts: 0, since };
}
