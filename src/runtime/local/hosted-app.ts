import type { DeploymentFailure } from "../../core/deployment.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Release, ReplicaStatus, RuntimeEvent } from "../runtime.ts";
import { longestPauseMs } from "./back-off.ts";
import type { Generation } from "./generation.ts";
import type { Routes, Upstream } from "./routes.ts";

export interface HostedAppOptions {
  app: string;
  routes: Routes;
  graceMs: number;
  log: Logger;
  emit: (event: RuntimeEvent) => void;
  start: (release: Release, onChange: () => void) => Generation;
  /** After a takeover or a failure, when nothing of the old generation runs any more. */
  onSettled: (inUse: Release[]) => Promise<void>;
}

/** One application: the generation that serves, and the one that wants to. */
export interface HostedApp {
  apply(release: Release): void;
  /** From now on so many replicas, of what serves and of what wants to. */
  scale(replicas: number): void;
  replicas(): ReplicaStatus[];
  /** The release that serves, and its replicas that answer. */
  serving(): { release: Release; upstreams: Upstream[] } | undefined;
  stop(): Promise<void>;
}

/**
 * The old generation serves until every replica of the new one answers, and for ever when one does not. Where both want
 * the same port of this machine that cannot be: the old one ends when the new one is ready to start, requests wait, and
 * when the new one fails, the old one is started again.
 */
export function createHostedApp(options: HostedAppOptions): HostedApp {
  const { app, routes, emit } = options;
  const log = options.log.with({ app });
  const retiring = new Set<Promise<void>>();
  let portFree: Promise<unknown> = Promise.resolve();
  let current: Generation | undefined;
  let pending: Generation | undefined;
  /** What served before it had to make room for the pending one. */
  let displaced: Release | undefined;
  /** Why what served before this start of the server did not run when it was tried last, and how often that was. */
  let trouble: DeploymentFailure | undefined;
  let triedAgain = 0;
  let failed: { release: Release; failure: DeploymentFailure } | undefined;
  let stopped = false;
  routes.declare(app);

  function refresh(): void {
    if (stopped) return; // the name may be another's by now
    const states = current?.statuses().map((status) => status.state) ?? [];
    routes.expect(app, pending !== undefined || states.includes("restarting") || states.includes("starting"));
    routes.rest(app, pending === undefined && current?.release.replicas === 0);
    routes.serve(app, current?.upstreams() ?? []);
  }

  function start(release: Release): Generation {
    const generation = options.start(release, refresh);
    if (hasOwnPort(release)) void beginWhenPortIsFree(generation);
    return generation;
  }

  async function beginWhenPortIsFree(generation: Generation): Promise<void> {
    await generation.prepared;
    if (generation === pending && current && hasOwnPort(current.release)) displace(current);
    await portFree;
    if (generation === pending || generation === current) generation.begin();
  }

  function displace(old: Generation): void {
    displaced = old.release;
    current = undefined;
    retire(old, old.upstreams());
    refresh();
  }

  /** Ends a generation when the requests that `upstreams` are answering are done, in the background. */
  function retire(generation: Generation, upstreams: Upstream[]): void {
    const done = drain(upstreams)
      .then(() => generation.stop())
      .then(() => options.onSettled([current, pending].flatMap((one) => (one ? [one.release] : []))))
      .catch((error: unknown) => log.error("an old release was not ended in order", { error }))
      .finally(() => retiring.delete(done));
    retiring.add(done);
    if (hasOwnPort(generation.release)) portFree = Promise.all([portFree, done]);
  }

  /** The gateway knows no more of those that go before their last requests are waited for. */
  function resize(generation: Generation, replicas: number): void {
    const ending = generation.scale(replicas).map((replica) => ({ replica, upstream: replica.upstream() }));
    refresh();
    for (const { replica, upstream } of ending) {
      const done = drain(upstream ? [upstream] : [])
        .then(() => replica.stop())
        .catch((error: unknown) => log.error("a replica was not ended in order", { error }))
        .finally(() => retiring.delete(done));
      retiring.add(done);
      if (hasOwnPort(generation.release)) portFree = Promise.all([portFree, done]);
    }
  }

  const drain = (upstreams: Upstream[]) =>
    Promise.all(upstreams.map((upstream) => routes.drained(upstream, options.graceMs)));

  function dropPending(): void {
    if (pending) retire(pending, []);
    pending = undefined;
  }

  /** A release that served before this start of the server: it needs no verdict to be routed to, and no failure ends it. */
  function serveAgain(release: Release, retryMs: number): void {
    const generation = start(release);
    current = generation;
    refresh();
    void generation.verdict.then((failure) => {
      if (current !== generation || stopped) return;
      trouble = failure;
      if (failure === undefined) return emit({ type: "running", app, deploymentId: release.deploymentId });
      log.error("what ran before does not run, it is tried again", {
        version: release.version,
        reason: failure.reason,
        why: failure.message,
        retryMs,
      });
      void generation.stop();
      const nextMs = Math.min(retryMs * 2, longestPauseMs(failure, 60_000));
      const again = () => {
        if (current !== generation || stopped) return;
        triedAgain += 1;
        serveAgain(generation.release, nextMs);
      };
      setTimeout(again, retryMs).unref();
    });
  }

  function takeOver(next: Generation): void {
    const old = current;
    current = next;
    trouble = undefined;
    triedAgain = 0;
    pending = undefined;
    displaced = undefined;
    refresh();
    log.info("a release serves", { version: next.release.version });
    emit({ type: "running", app, deploymentId: next.release.deploymentId });
    if (old) retire(old, old.upstreams());
  }

  function giveUp({ release }: Generation, failure: DeploymentFailure): void {
    failed = { release, failure };
    dropPending();
    if (displaced) current = start(displaced);
    displaced = undefined;
    refresh();
    log.warn("a release failed", { version: release.version, reason: failure.reason, why: failure.message });
    emit({ type: "failed", app, deploymentId: release.deploymentId, failure });
  }

  /** What is tried again begins as a new replica, which knows nothing of the tries before. */
  function withTrouble(status: ReplicaStatus): ReplicaStatus {
    const failure = status.state === "running" || trouble === undefined ? {} : { failure: trouble };
    return { ...failure, ...status, restarts: status.restarts + triedAgain };
  }

  return {
    apply(release) {
      if (pending && isSame(pending.release, release)) return resize(pending, release.replicas);
      const isCurrent = current !== undefined && isSame(current.release, release);
      if (!(isCurrent && release.established)) dropPending(); // what ran is applied again beside what is newer
      if (current && isCurrent) {
        resize(current, release.replicas);
        return emit({ type: "running", app, deploymentId: release.deploymentId });
      }
      if (failed && isSame(failed.release, release)) {
        return emit({ type: "failed", app, deploymentId: release.deploymentId, failure: failed.failure });
      }
      if (release.established && !current) return serveAgain(release, 1_000);
      const next = start(release);
      pending = next;
      refresh();
      void next.verdict.then((failure) => {
        if (pending !== next) return;
        if (failure) return giveUp(next, failure);
        takeOver(next);
      });
    },
    scale(replicas) {
      if (displaced) displaced = { ...displaced, replicas };
      for (const generation of [current, pending]) if (generation) resize(generation, replicas);
    },
    replicas: () => [...(current?.statuses() ?? []).map(withTrouble), ...(pending?.statuses() ?? [])],
    serving: () => current && { release: current.release, upstreams: current.upstreams() },
    async stop() {
      const generations = [current, pending];
      current = undefined;
      pending = undefined;
      refresh();
      stopped = true;
      await Promise.all([...generations.map((generation) => generation?.stop()), ...retiring]);
    },
  };
}

const hasOwnPort = ({ config }: Release): boolean => config?.port !== undefined;

/** Where it is downloaded from, which keys count now, how many replicas it has, and whether it has served before, does not matter. */
function isSame(a: Release, b: Release): boolean {
  const essence = ({ downloadUrl: _, established: __, publicKeys: ___, replicas: ____, ...rest }: Release) => rest;
  return Bun.deepEquals(essence(a), essence(b));
}
