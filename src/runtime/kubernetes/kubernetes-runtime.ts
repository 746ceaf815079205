import { createHash } from "node:crypto";
import { formatReport, reportAnnotation } from "../../core/agent-report.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { agentConfigMapName, authoritiesConfigMapName } from "../../k8s/builders/config-map.ts";
import { secretName } from "../../k8s/builders/secret.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { AetherError, messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { AnnotatedDigest, Runtime, RuntimeEvent } from "../runtime.ts";
import { appUrl } from "./app-url.ts";
import { collect } from "./collect.ts";
import { createDeployedApp, type DeployedApp } from "./deployed-app.ts";
import { lastReport, loadedBy } from "./hot-verdict.ts";
import { libcOf } from "./image.ts";
import { findNodes, type Nodes } from "./nodes.ts";
import { type ClusterSettings, newPins } from "./pins.ts";
import { runInPod } from "./pod-command.ts";
import { forwardToPod } from "./pod-forward.ts";
import { createPodLogs } from "./pod-logs/pod-logs.ts";
import { toReplicas } from "./pod-status.ts";
import { assertUsable } from "./preconditions.ts";
import { removeAppObjects } from "./remove-app.ts";
import { removeDeadRuns, runInOwnPod } from "./run-pods.ts";
import { podCause } from "./verdict.ts";
import { type Pod, type World, watchWorld } from "./world.ts";

export interface KubernetesRuntimeOptions {
  cluster: Cluster;
  settings: Omit<ClusterSettings, "agent">;
  /** The agent's text. */
  agent: string;
  log: Logger;
  /** How long is waited for nodes, volumes, an answer: what may come by itself. */
  startTimeoutMs: number;
}

export interface KubernetesRuntime extends Runtime {
  readonly kind: "kubernetes";
}

/** What was changed where no watch looks is found by then. */
const repairEveryMs = 300_000;
const tickMs = 1_000;

/** Applications as Deployments of a cluster. Nothing is asked of it before `start`. */
export function createKubernetesRuntime(options: KubernetesRuntimeOptions): KubernetesRuntime {
  const { cluster, log, startTimeoutMs } = options;
  const agent = { source: options.agent, hash: createHash("sha256").update(options.agent).digest("hex") };
  const settings: ClusterSettings = { ...options.settings, agent };
  const { namespace } = settings;
  const apps = new Map<string, DeployedApp>();
  const removing = new Map<string, Promise<void>>();
  const podLogs = createPodLogs({
    cluster,
    namespace,
    log,
    pods: (app) => seen().pods(app),
    ready: () => seen().ready(),
  });
  const timers: ReturnType<typeof setInterval>[] = [];
  let world: World | undefined;
  let nodes: Promise<Nodes> | undefined;
  let knownNodes: Nodes | undefined;
  let collecting: Promise<void> = Promise.resolve();
  let observe: (event: RuntimeEvent) => void = () => undefined;
  let annotated: (told: AnnotatedDigest) => void = () => undefined;

  function seen(): World {
    if (world) return world;
    throw new Error("The Kubernetes runtime was used before it was started.");
  }

  function deployedApp(app: string): DeployedApp {
    const deployed =
      apps.get(app) ??
      createDeployedApp({
        app,
        cluster,
        world: seen(),
        settings,
        log,
        emit: (event) => observe(event),
        onAnnotated: (digest) => annotated({ app, digest }),
        onSettled: collectSoon,
        patienceMs: startTimeoutMs,
      });
    apps.set(app, deployed);
    return deployed;
  }

  function collectSoon(): void {
    collecting = collecting.then(async () => {
      const wanted = [...apps.values()].flatMap((app) => app.wanted());
      const inUse = new Set(
        wanted
          .flatMap((one) => [secretName(one), agentConfigMapName(one), authoritiesConfigMapName(one)])
          .filter((name) => name !== undefined),
      );
      await collect(cluster, { namespace, inUse })
        .then((gone) => gone.length > 0 && log.info("removed what no pod needs any more", { gone }))
        .catch((error: unknown) => log.warn("what no pod needs could not be removed", { why: messageOf(error) }));
    });
  }

  function someNodes(): Promise<Nodes> {
    nodes ??= findNodes(cluster).then((found) => {
      knownNodes = found;
      return found;
    });
    nodes.catch(() => {
      nodes = undefined; // asked again
    });
    return nodes;
  }

  const runs = { cluster, log, patienceMs: startTimeoutMs };
  const sessions = new Set<Promise<unknown>>();

  /** Waited for at the end: what a session leaves in the cluster is its own to clear away. */
  function kept<T>(session: Promise<T>): Promise<T> {
    sessions.add(session);
    session.finally(() => sessions.delete(session)).catch(() => {}); // its caller hears of it
    return session;
  }

  const findPod = (app: string, replica: string): Pod | undefined =>
    seen()
      .pods(app)
      .find(({ metadata }) => metadata?.name === replica);

  function podOf(app: string, replica: string): Pod {
    const pod = findPod(app, replica);
    if (pod) return pod;
    throw new AetherError("not_found", `The replica ${replica} of ${app} is gone.`, { hint: "Try again." });
  }

  return {
    kind: "kubernetes",
    async start(observer, onAnnotated = () => undefined) {
      observe = observer;
      annotated = onAnnotated;
      await assertUsable(cluster, { namespace, log });
      world = watchWorld(cluster, {
        namespace,
        log,
        onChange: (app, change) => {
          apps.get(app)?.changed(change);
          if (change.kind === "Pod") podLogs.changed(app);
        },
        onAgentGone: () => {
          for (const app of apps.values()) app.repair();
        },
      });
      const repair = () => {
        for (const app of apps.values()) app.repair();
        collectSoon();
        void removeDeadRuns(runs, seen().runs());
      };
      const tick = () => {
        for (const app of apps.values()) app.tick();
      };
      timers.push(setInterval(tick, tickMs), setInterval(repair, repairEveryMs));
      void someNodes().catch((error: unknown) =>
        log.warn("the cluster's nodes are not known", { why: messageOf(error) }),
      );
      await world
        .ready()
        .catch((error: unknown) => log.warn("the cluster was not read yet", { why: messageOf(error) }));
      void removeDeadRuns(runs, seen().runs());
    },
    async check() {
      await cluster.version();
      const problem = seen().problem();
      if (problem !== undefined) throw problem;
    },
    async platform() {
      const { arch } = await someNodes();
      return { os: "linux", arch, libc: libcOf(settings.runtimeImage) };
    },
    pins: async (release) => newPins(settings, release),
    async apply(release, { followed = false } = {}) {
      await removing.get(release.app); // one of the same name was removed just now
      deployedApp(release.app).apply(release, followed);
    },
    async report(app, report) {
      const pod = findPod(app, report.pod);
      if (pod === undefined) return undefined;
      if (lastReport(pod)?.at === report.at) return "repeated";
      const annotations = { [reportAnnotation]: formatReport(report) };
      await cluster.patch({ kind: "Pod", namespace, name: report.pod }, { metadata: { annotations } });
      return "new";
    },
    async withdraw(app, deploymentId) {
      apps.get(app)?.withdraw(deploymentId);
    },
    async scale(app, replicas) {
      apps.get(app)?.scale(replicas);
    },
    async remove(app) {
      const deployed = apps.get(app);
      const before = removing.get(app);
      const done = (async () => {
        await before?.catch(() => {}); // whoever asked for that one was told
        await deployed?.close();
        apps.delete(app);
        await removeAppObjects(cluster, { namespace, app, withinMs: settings.graceSeconds * 1_000 + removalMs });
      })();
      removing.set(app, done);
      await done.finally(() => removing.get(app) === done && removing.delete(app));
      collectSoon();
    },
    async forget(app) {
      await apps.get(app)?.close();
      apps.delete(app);
    },
    async replicas(app) {
      const pods = seen().pods(app);
      const warnings = seen().warnings(pods);
      const patience = { now: Date.now(), forMs: startTimeoutMs };
      const causeOf = (pod: Pod) => {
        const release = apps.get(app)?.wanted().find(isReleaseOf(pod));
        return release && podCause(pod, { release, warnings, patience });
      };
      const loadedOf = (pod: Pod) => loadedBy(pod, apps.get(app)?.wanted() ?? []);
      return toReplicas(pods, { causeOf, stagesOf: seen().stages, loadedOf });
    },
    checkLogs: podLogs.check,
    logs: podLogs.read,
    async exec(app, replica, session) {
      const { name = "" } = podOf(app, replica).metadata ?? {};
      return await kept(runInPod({ cluster, log }, { namespace, name }, session));
    },
    async run(app, session) {
      const release = apps.get(app)?.served();
      if (release) return await kept(runInOwnPod(runs, release, session));
      throw new AetherError("conflict", `No release of ${app} has run here.`, { hint: "Deploy it first." });
    },
    async forward(app, replica, connection) {
      await kept(forwardToPod(cluster, podOf(app, replica), connection));
    },
    url: (app) => appUrl({ app, world: seen(), settings, wanted: apps.get(app)?.wanted()[0], nodes: knownNodes }),
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all([...apps.values()].map((app) => app.close()));
      await Promise.allSettled(sessions);
      await collecting;
      await world?.[Symbol.asyncDispose]();
    },
  };
}

const isReleaseOf =
  ({ metadata }: Pod) =>
  ({ deploymentId }: AppRelease): boolean =>
    metadata?.annotations?.["aether.dev/deployment"] === deploymentId;

/** Beyond the grace of the pods: the drain before, and the cluster's own bookkeeping. */
const removalMs = 45_000;
