import type { DeploymentFailure } from "../../core/deployment.ts";
import type { Release, ReplicaStatus } from "../runtime.ts";
import type { Replica } from "./replica.ts";
import type { Upstream } from "./routes.ts";

/** All replicas of one release. */
export interface Generation {
  /** With the number of replicas that is wanted now. */
  readonly release: Release;
  /** Undefined when all replicas answered for the first time, else why the first one will not. */
  readonly verdict: Promise<DeploymentFailure | undefined>;
  /** The release lies there: it could be started. */
  readonly prepared: Promise<void>;
  /** Starts a generation that is held back. */
  begin(): void;
  /** From now on so many replicas; those that are too many are given back, for the caller to end. */
  scale(replicas: number): Replica[];
  statuses(): ReplicaStatus[];
  upstreams(): Upstream[];
  stop(): Promise<void>;
}

/** How a replica is started; one that is `tireless` joins a release that has its verdict, and is tried until it runs. */
export type StartReplica = (index: number, options: { tireless: boolean }) => Replica;

/** Starts the first replica, which fetches and unpacks, and then the others, which find the release there. */
export function startGeneration(release: Release, start: StartReplica): Generation {
  const replicas: Replica[] = [];
  const answered = new Set<Replica>();
  const prepared = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<DeploymentFailure | undefined>();
  let wanted = release.replicas;
  let started = 0;
  let begun = false;
  let judged = false;
  let stopped = false;

  function judge(failure?: DeploymentFailure): void {
    if (failure === undefined && (replicas.length < wanted || !replicas.every((one) => answered.has(one)))) return;
    judged = true;
    verdict.resolve(failure);
  }

  /** Each gets an index of its own: a name that was used has its log, and perhaps still drains. */
  function add(): void {
    const replica = start(started++, { tireless: judged });
    replicas.push(replica);
    if (begun) replica.begin();
    void replica.verdict.then((failure) => {
      if (!replicas.includes(replica)) return;
      if (failure === undefined) answered.add(replica);
      judge(failure);
    });
  }

  async function fill(): Promise<void> {
    if (replicas.length === 0 && wanted > 0) add();
    const [first] = replicas;
    if (first && (await Promise.race([first.prepared, first.verdict]))) return; // it failed, and so would the others
    prepared.resolve();
    while (!stopped && replicas.length < wanted) add();
    judge();
  }

  void fill();
  return {
    get release() {
      return { ...release, replicas: wanted };
    },
    verdict: verdict.promise,
    prepared: prepared.promise,
    begin() {
      begun = true;
      for (const replica of replicas) replica.begin();
    },
    scale(count) {
      wanted = count;
      const tooMany = replicas.splice(count);
      if (!stopped) void fill();
      return tooMany;
    },
    statuses: () => replicas.map((replica) => replica.status()),
    upstreams: () => replicas.map((replica) => replica.upstream()).filter((upstream) => upstream !== undefined),
    async stop() {
      stopped = true;
      await Promise.all(replicas.map((replica) => replica.stop()));
    },
  };
}

/** No replica, but a status that says why: of a release that cannot even be started. */
export function unfitGeneration(release: Release, now: Date, failure: DeploymentFailure): Generation {
  const { app, version, digest } = release;
  const unfit = { name: `${app}-v${version}-0`, digest, version, restarts: 0, since: now.toISOString() };
  return {
    release,
    verdict: Promise.resolve(failure),
    prepared: new Promise(() => undefined),
    begin: () => undefined,
    scale: () => [],
    statuses: () => [{ ...unfit, state: "failed", failure }],
    upstreams: () => [],
    stop: async () => undefined,
  };
}
