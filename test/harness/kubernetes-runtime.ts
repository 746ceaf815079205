import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { createKubernetesRuntime } from "../../src/runtime/kubernetes/kubernetes-runtime.ts";
import { newPins, type Pins } from "../../src/runtime/kubernetes/pins.ts";
import type { Release, RuntimeEvent } from "../../src/runtime/runtime.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { createArtifactStore, type Files } from "./artifact-store.ts";
import { runtimeImage } from "./kubernetes-server.ts";
import { agentPath } from "./local-runtime.ts";
import { createNamespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

export interface KubernetesHarnessOptions {
  startTimeoutMs?: number;
  /** Another server's agent. */
  agent?: string;
  /** How a runtime reaches the cluster, if not as the test does. */
  reach?: (own: Cluster) => Cluster | Promise<Cluster>;
}

export type ReleaseChanges = Partial<Omit<Release, "pins">> & { pins?: Partial<Pins> };

/** Where the cluster's pods reach this machine: the testbed's node is it. */
async function machineAddress(cluster: Cluster): Promise<string> {
  const { items } = await cluster.list({ kind: "Node" });
  const address = items[0]?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
  if (address === undefined) throw new Error("The test's cluster has no node with an address.");
  return address;
}

/** A namespace of the test's own, a store that its pods reach, and runtimes on both: each is a server's. */
export async function createKubernetesHarness({ startTimeoutMs = 60_000, ...first }: KubernetesHarnessOptions = {}) {
  const namespace = await createNamespace({ labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
  const { cluster, name } = namespace;
  const store = await createArtifactStore({ host: await machineAddress(cluster) });
  const ownAgent = await readFile(await agentPath(), "utf8");
  const settings = {
    namespace: name,
    runtimeImage,
    serviceType: "NodePort" as const,
    graceSeconds: 2,
    storageOrigins: [store.storageOrigin],
  };
  const stops: (() => Promise<void>)[] = [];
  let version = 0;

  /** A runtime as another server, or the same after a restart, has it. */
  async function startRuntime({ agent = ownAgent, reach = (own) => own }: KubernetesHarnessOptions = {}) {
    const logged: string[] = [];
    const events: RuntimeEvent[] = [];
    const log = createLogger({ level: "debug", format: "json", write: (line) => void logged.push(line) });
    const runtime = createKubernetesRuntime({ cluster: await reach(cluster), settings, agent, log, startTimeoutMs });
    await runtime.start((event) => void events.push(event));
    stops.push(() => runtime.stop());
    return {
      runtime,
      events,
      logged,
      verdict: (deploymentId: string, from = 0) =>
        waitFor(
          `a verdict on ${deploymentId}`,
          () => events.slice(from).find((event) => event.deploymentId === deploymentId),
          { withinMs: 90_000 },
        ),
    };
  }

  return {
    ...(await startRuntime(first)),
    cluster,
    namespace: name,
    store,
    startRuntime,
    /** A release of `files`, pinned as a server pins it. */
    async release(files: Files, { pins, ...changes }: ReleaseChanges = {}): Promise<Release> {
      version += 1;
      const artifact = await store.add(files);
      const config = { start: "node server.js" };
      const release = { app: "shop", deploymentId: randomUUID(), version, replicas: 1, env: {}, config, ...artifact };
      const all = { ...release, ...changes };
      const agent = { source: ownAgent, hash: new Bun.CryptoHasher("sha256").update(ownAgent).digest("hex") };
      return { ...all, pins: { ...newPins({ ...settings, agent }, all), ...pins } };
    },
    deployment: (app = "shop") => cluster.get({ kind: "Deployment", namespace: name, name: app }),
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      await store[Symbol.asyncDispose]();
      await namespace[Symbol.asyncDispose]();
    },
  };
}

export type KubernetesHarness = Awaited<ReturnType<typeof createKubernetesHarness>>;
