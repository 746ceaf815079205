import { setTimeout as sleep } from "node:timers/promises";
import type { Stages } from "../../core/replica-stages.ts";
import { processLabel, runProcess } from "../../k8s/builders/metadata.ts";
import type { Change, Cluster, Reflector } from "../../k8s/cluster.ts";
import type { KindName, ObjectOf } from "../../k8s/kinds.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import { createPodClock } from "./pod-clock.ts";

export type Deployment = ObjectOf<"Deployment">;
export type ReplicaSet = ObjectOf<"ReplicaSet">;
export type Pod = ObjectOf<"Pod">;
export type Service = ObjectOf<"Service">;

/** A complaint of the cluster about a pod. */
export interface Warning {
  pod: string;
  reason: string;
  message: string;
  /** RFC 3339: when it was last said. */
  at: string;
}

/** What the cluster holds of our applications, kept by watches. */
export interface World extends AsyncDisposable {
  /** Settles when all of it was read once; rejects with what prevents it when that takes long. */
  ready(): Promise<void>;
  /** Why it may be out of date, or undefined. */
  problem(): unknown;
  deployment(app: string): Deployment | undefined;
  replicaSets(app: string): ReplicaSet[];
  /** Its replicas. */
  pods(app: string): Pod[];
  /** The pods of commands that somebody runs, of all applications. */
  runs(): Pod[];
  service(app: string): Service | undefined;
  /** How long a pod's start took, as far as it was seen. */
  stages(pod: Pod): Stages | undefined;
  warnings(pods: Pod[]): Warning[];
  /** Whether the ConfigMap of an agent is there. */
  hasAgent(hash: string): boolean;
  /** Whether an autoscaler, ours or anybody's, decides on the number of replicas. */
  isAutoscaled(app: string): boolean;
}

/** What changed; `kind` is `Event` for what was said of a pod. */
export interface WorldChange {
  kind: KindName;
  type: Change<unknown>["type"];
  metadata: Metadata | undefined;
}

type Metadata = NonNullable<Deployment["metadata"]>;

export interface WorldOptions {
  namespace: string;
  log: Logger;
  /** Something of the application changed. */
  onChange: (app: string, change: WorldChange) => void;
  /** An agent's ConfigMap is gone. */
  onAgentGone: () => void;
}

const ours = "aether.dev/app";
/** Without these an application's next pod would not start, or nobody would reach it. Of their content nothing is asked. */
const watchedForLoss: KindName[] = [
  "Secret",
  "ServiceAccount",
  "PodDisruptionBudget",
  "Ingress",
  "Role",
  "RoleBinding",
];

/** Begins to watch. */
export function watchWorld(cluster: Cluster, { namespace, log, onChange, onAgentGone }: WorldOptions): World {
  let trouble: unknown;
  const onTrouble = (error: unknown) => {
    trouble = error;
    log.warn("a watch on the cluster was interrupted", { why: messageOf(error) });
  };
  const appOf = (object: { metadata?: { labels?: Record<string, string> } }) => object.metadata?.labels?.[ours];
  const clock = createPodClock();
  const reflectOurs = <K extends KindName>(kind: K, onSeen: (change: Change<ObjectOf<K>>) => void = () => {}) =>
    cluster.reflect<K>(
      { kind, namespace, labelSelector: ours },
      {
        project: lean,
        onChange: (change) => {
          const { type, object } = change;
          onSeen(change);
          const app = appOf(object);
          if (app !== undefined) onChange(app, { kind, type, metadata: object.metadata });
        },
        onTrouble,
      },
    );

  const watchLoss = (kind: KindName) =>
    cluster.reflect(
      { kind, namespace, labelSelector: ours },
      {
        project: ({ metadata }): { metadata?: Metadata } => lean(metadata ? { metadata } : {}),
        onChange: ({ type, object }) => {
          const app = appOf(object);
          if (app !== undefined && type === "deleted") onChange(app, { kind, type, metadata: object.metadata });
        },
        onTrouble,
      },
    );

  const deployments = reflectOurs("Deployment");
  const replicaSets = reflectOurs("ReplicaSet");
  const pods = reflectOurs("Pod", ({ type, object }) =>
    type === "deleted" ? clock.forget(object) : clock.see(object),
  );
  const services = reflectOurs("Service");
  const agents = cluster.reflect(
    { kind: "ConfigMap", namespace, labelSelector: "aether.dev/agent" },
    {
      project: ({ metadata }) => metadata?.labels?.["aether.dev/agent"],
      onChange: ({ type }) => type === "deleted" && onAgentGone(),
      onTrouble,
    },
  );
  const others = watchedForLoss.map((kind) => watchLoss(kind));
  const autoscalers = cluster.reflect({ kind: "HorizontalPodAutoscaler", namespace }, { project: scaledBy, onTrouble });
  const events = cluster.reflect(
    { kind: "Event", namespace, fieldSelector: "involvedObject.kind=Pod,type=Warning" },
    {
      project: toWarning,
      onChange: ({ type, object }) => {
        const pod = pods.get(object.pod);
        const app = pod && appOf(pod);
        if (app !== undefined) onChange(app, { kind: "Event", type, metadata: undefined });
      },
      onTrouble,
    },
  );
  const all: Reflector<unknown>[] = [
    ...[deployments, replicaSets, pods, services, agents, autoscalers, events],
    ...others,
  ];
  const read = Promise.all(all.map((reflector) => reflector.ready)).then(() => true);
  read.catch(() => {}); // ended before: whoever waits hears it
  const of = <T extends object>(items: T[], app: string) => items.filter((item) => appOf(item) === app);

  return {
    async ready() {
      const isRead = await Promise.race([read, sleep(longMs, false, { ref: false })]);
      if (!isRead) throw trouble ?? notYet;
    },
    problem: () => (all.every(({ heardAt }) => Date.now() - heardAt < staleMs) ? undefined : (trouble ?? notYet)),
    deployment: (app) => deployments.get(app),
    replicaSets: (app) => of(replicaSets.items(), app),
    pods: (app) => of(pods.items(), app).filter((pod) => !isRun(pod)),
    runs: () => pods.items().filter(isRun),
    service: (app) => services.get(app),
    stages: clock.stages,
    warnings(some) {
      const names = new Set(some.map(({ metadata }) => metadata?.name));
      return events.items().filter(({ pod }) => names.has(pod));
    },
    hasAgent: (hash) => agents.items().includes(hash.slice(0, 12)),
    isAutoscaled: (app) => autoscalers.items().includes(app),
    async [Symbol.asyncDispose]() {
      await Promise.race([Promise.all(all.map((reflector) => reflector.stop())), sleep(2_000)]);
    },
  };
}

const longMs = 5_000;

const isRun = ({ metadata }: Pod): boolean => metadata?.labels?.[processLabel] === runProcess;

/** The API server is heard about once a minute on each watch. */
const staleMs = 180_000;
const notYet = new Error("the cluster was not read yet");

/** Most of an object is who wrote which field, which nobody here asks for. */
function lean<T extends { metadata?: { managedFields?: unknown } }>(object: T): T {
  if (object.metadata) delete object.metadata.managedFields;
  return object;
}

const scaledBy = ({ spec }: ObjectOf<"HorizontalPodAutoscaler">): string | undefined =>
  spec?.scaleTargetRef.kind === "Deployment" ? spec.scaleTargetRef.name : undefined;

const toWarning = (event: ObjectOf<"Event">): Warning => ({
  pod: event.involvedObject.name ?? "",
  reason: event.reason ?? "",
  message: event.message ?? "",
  at:
    event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp ?? "",
});
