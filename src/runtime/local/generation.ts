import type { DeploymentFailure } from "../../core/deployment.ts";
import type { Release, ReplicaStatus } from "../runtime.ts";
import type { Replica } from "./replica.ts";
import type { Upstream } from "./routes.ts";

/** All replicas of one release. */
export interface Generation {
  readonly release: Release;
  /** Undefined when all replicas answered for the first time, else why the first one will not. */
  readonly verdict: Promise<DeploymentFailure | undefined>;
  /** The release lies there: it could be started. */
  readonly prepared: Promise<void>;
  /** Starts a generation that is held back. */
  begin(): void;
  statuses(): ReplicaStatus[];
  upstreams(): Upstream[];
  stop(): Promise<void>;
}

/** Starts the first replica, which fetches and unpacks, and then the others, which find the release there. */
export function startGeneration(release: Release, start: (index: number) => Replica): Generation {
  const first = start(0);
  const replicas = [first];
  let stopped = false;

  async function judge(): Promise<DeploymentFailure | undefined> {
    await Promise.race([first.prepared, first.verdict]);
    while (!stopped && replicas.length < release.replicas) replicas.push(start(replicas.length));
    const firstFailure = new Promise<DeploymentFailure>((failed) => {
      for (const replica of replicas) void replica.verdict.then((failure) => failure && failed(failure));
    });
    const allAnswer = Promise.all(replicas.map((replica) => replica.verdict)).then(() => undefined);
    return Promise.race([firstFailure, allAnswer]);
  }

  return {
    release,
    verdict: judge(),
    prepared: first.prepared,
    begin() {
      for (const replica of replicas) replica.begin();
    },
    statuses: () => replicas.map((replica) => replica.status()),
    upstreams: () => replicas.map((replica) => replica.upstream()).filter((upstream) => upstream !== undefined),
    async stop() {
      stopped = true;
      await Promise.all(replicas.map((replica) => replica.stop()));
    },
  };
}

/** No replica: of a release that is scaled to none, or that cannot even be started. */
export function emptyGeneration(release: Release, failure?: DeploymentFailure): Generation {
  return {
    release,
    verdict: Promise.resolve(failure),
    prepared: new Promise(() => undefined),
    begin: () => undefined,
    statuses: () => [],
    upstreams: () => [],
    stop: async () => undefined,
  };
}
