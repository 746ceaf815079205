import { expect, test } from "bun:test";
import { clusterLocation } from "../../../src/config/cluster.ts";
import { openCluster } from "../../../src/k8s/open-cluster.ts";
import { collect } from "../../../src/runtime/kubernetes/collect.ts";
import { createKubernetesRuntime } from "../../../src/runtime/kubernetes/kubernetes-runtime.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { longKubernetesTier } from "../../harness/kubernetes.ts";
import { createKubernetesHarness, type KubernetesHarness } from "../../harness/kubernetes-runtime.ts";
import { answering, packageJson } from "../../harness/project.ts";
import { waitFor } from "../../harness/wait-for.ts";

const kubernetes = longKubernetesTier();
const testOnKubernetes = (what: string, work: () => Promise<void>) =>
  test.skipIf(!kubernetes.available)(what, work, 180_000);
const slow = { withinMs: 60_000, everyMs: 100 };

const files = (text: string) => ({ "package.json": packageJson("shop"), "server.js": answering(text) });
const crashing = { "package.json": packageJson("shop"), "server.js": `throw new Error("broken");` };

/** Somebody's own. */
const autoscaler = (namespace: string) => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "by-hand", namespace },
  spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "shop" }, minReplicas: 2, maxReplicas: 3 },
});

const podsOf = async ({ cluster, namespace }: KubernetesHarness) =>
  (await cluster.list({ kind: "Pod", namespace })).items.filter(({ metadata }) => !metadata?.deletionTimestamp);
const replicaSetsOf = async ({ cluster, namespace }: KubernetesHarness) =>
  (await cluster.list({ kind: "ReplicaSet", namespace })).items.map(({ metadata }) => metadata?.name).sort();

testOnKubernetes("what somebody does to our objects is repaired, and what we never set is left alone", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict, deployment } = harness;
  const pins = { ingress: { host: "shop.example.com" } };
  const wanted = await release(files("one"), { replicas: 1, env: { COLOR: "red" }, pins });
  await runtime.apply(wanted);
  expect(await verdict(wanted.deploymentId)).toMatchObject({ type: "running" });
  const ref = { kind: "Deployment" as const, namespace, name: "shop" };

  await cluster.patch(ref, { spec: { minReadySeconds: 1 }, metadata: { labels: { team: "blue" } } });
  await cluster.patch(ref, { spec: { replicas: 3 } }, { subresource: "scale" });
  await waitFor("one replica again", async () => (await deployment())?.spec?.replicas === 1, slow);
  expect((await deployment())?.spec?.minReadySeconds).toBe(1);
  expect((await deployment())?.metadata?.labels?.team).toBe("blue");

  await cluster.patch(ref, { spec: { template: { spec: { terminationGracePeriodSeconds: 99 } } } });
  const grace = async () => (await deployment())?.spec?.template?.spec?.terminationGracePeriodSeconds;
  await waitFor("the grace we set", async () => (await grace()) === 7, slow);

  const before = await deployment();
  await cluster.remove(ref);
  const uid = await waitFor("the Deployment anew", async () => (await deployment())?.metadata?.uid, slow);
  expect(uid).not.toBe(before?.metadata?.uid as string);
  await runtime.scale("shop", 2); // for two there is a PodDisruptionBudget
  const lost = ["Service", "Secret", "ServiceAccount", "PodDisruptionBudget", "Ingress"] as const;
  for (const kind of lost) {
    const labelSelector = "aether.dev/app=shop";
    const named = await waitFor(`the ${kind}`, async () => {
      const { items } = await cluster.list({ kind, namespace, labelSelector });
      return items[0]?.metadata?.name;
    });
    await cluster.remove({ kind, namespace, name: named });
    await waitFor(`the ${kind} anew`, () => cluster.get({ kind, namespace, name: named }), slow);
  }
});

testOnKubernetes("an application is scaled, stopped and started without a new release", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, release, verdict, cluster, namespace } = harness;
  const wanted = await release(files("one"));
  await runtime.apply(wanted);
  await verdict(wanted.deploymentId);
  const sets = await replicaSetsOf(harness);
  for (const count of [2, 0, 1]) {
    await runtime.scale("shop", count);
    const isSo = async () => {
      const replicas = await runtime.replicas("shop");
      return replicas.length === count && replicas.every(({ state }) => state === "running");
    };
    await waitFor(`${count} replicas`, isSo, slow);
  }
  expect(await replicaSetsOf(harness)).toEqual(sets);

  await cluster.create(autoscaler(namespace));
  await waitFor("the autoscaler's number", async () => (await podsOf(harness)).length === 2, slow);
  const next = await release(files("two"), { replicas: 1 });
  await runtime.apply(next);
  expect(await verdict(next.deploymentId)).toMatchObject({ type: "running" });
  expect((await harness.deployment())?.spec?.replicas).toBe(2);
});

testOnKubernetes("an autoscaler that wants as many replicas as there are takes over without losing one", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, release, verdict, cluster, namespace, deployment } = harness;
  const one = await release(files("one"), { replicas: 2 });
  await runtime.apply(one);
  await verdict(one.deploymentId);
  const counts: (number | undefined)[] = [];
  const watch = cluster.reflect(
    { kind: "Deployment", namespace },
    { onChange: ({ object }) => void counts.push(object.spec?.replicas) },
  );
  await watch.ready;
  await cluster.create(autoscaler(namespace));
  const ref = { kind: "HorizontalPodAutoscaler" as const, namespace, name: "by-hand" };
  await waitFor("the autoscaler to look", async () => (await cluster.get(ref))?.status?.currentReplicas === 2, slow);
  const two = await release(files("two"), { replicas: 1 });
  await runtime.apply(two);
  expect(await verdict(two.deploymentId)).toMatchObject({ type: "running" });
  expect(new Set(counts)).toEqual(new Set([2]));
  expect((await deployment())?.spec?.replicas).toBe(2);
  await watch.stop();
});

testOnKubernetes("two servers agree on what follows a failure, and a third finds it so", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, release, verdict, deployment, startRuntime } = harness;
  const good = await release(files("good"));
  await runtime.apply(good);
  await verdict(good.deploymentId);
  const other = await startRuntime();
  await other.runtime.apply({ ...good, established: true });
  const sets = await replicaSetsOf(harness);

  const bad = await release(crashing);
  await Promise.all([runtime.apply(bad), other.runtime.apply(bad)]);
  const first = await Promise.race([verdict(bad.deploymentId), other.verdict(bad.deploymentId)]);
  expect(first).toMatchObject({ type: "failed", failure: { reason: "crash_loop" } });
  // By then the database says so, and each server hears of it.
  await Promise.all([runtime.withdraw?.("shop", bad.deploymentId), other.runtime.withdraw?.("shop", bad.deploymentId)]);
  const id = async () => (await deployment())?.metadata?.annotations?.["aether.dev/deployment"];
  const isOnlyGood = async () => {
    const pods = await podsOf(harness);
    return pods.length === 1 && pods[0]?.metadata?.annotations?.["aether.dev/deployment"] === good.deploymentId;
  };
  await waitFor("the good one", async () => (await id()) === good.deploymentId && (await isOnlyGood()), slow);

  const third = await startRuntime();
  const generation = (await deployment())?.metadata?.generation;
  await third.runtime.apply({ ...good, established: true });
  await waitFor("the third to apply it", () => third.logged.some((line) => line.includes('"applied"')), slow);
  expect((await deployment())?.metadata?.generation).toBe(generation as number);
  expect(await replicaSetsOf(harness)).toEqual(expect.arrayContaining(sets));
});

testOnKubernetes("a server that starts in the middle of a rollout goes on with it", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, release, verdict, deployment, startRuntime } = harness;
  const one = await release(files("one"));
  await runtime.apply(one);
  await verdict(one.deploymentId);
  const two = await release(files("two"));
  await runtime.apply(two);
  await waitFor("the rollout to begin", async () => (await replicaSetsOf(harness)).length === 2, slow);
  await runtime.stop();

  const next = await startRuntime();
  const seen: (string | undefined)[] = [];
  await next.runtime.apply({ ...one, established: true }, { followed: true });
  await next.runtime.apply(two);
  await waitFor(
    "its verdict",
    async () => {
      seen.push((await deployment())?.metadata?.annotations?.["aether.dev/deployment"]);
      return next.events.some(({ deploymentId, type }) => deploymentId === two.deploymentId && type === "running");
    },
    slow,
  );
  expect(new Set(seen)).toEqual(new Set([two.deploymentId]));
});

testOnKubernetes("a server with another agent rolls nothing, until the old agent is gone", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict, startRuntime } = harness;
  const wanted = await release(files("one"));
  await runtime.apply(wanted);
  await verdict(wanted.deploymentId);
  const sets = await replicaSetsOf(harness);
  await runtime.stop();

  const upgraded = await startRuntime({ agent: "// another build's agent\n" });
  await upgraded.runtime.apply({ ...wanted, established: true });
  await waitFor("it to be applied", () => upgraded.logged.some((line) => line.includes('"applied"')), slow);
  expect(await replicaSetsOf(harness)).toEqual(sets);

  const { items } = await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "aether.dev/agent" });
  expect(items).toHaveLength(1);
  await cluster.remove({ kind: "ConfigMap", namespace, name: items[0]?.metadata?.name ?? "" });
  await waitFor("a rollout", async () => (await replicaSetsOf(harness)).length === sets.length + 1, slow);
});

testOnKubernetes("an application is removed whole, also when its removal was begun before", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const wanted = await release(files("one"), { env: { GREETING: "hello" } });
  await runtime.apply(wanted);
  await verdict(wanted.deploymentId);
  await cluster.remove({ kind: "Deployment", namespace, name: "shop" }, { propagation: "Orphan" });
  await runtime.remove("shop");
  for (const kind of ["Deployment", "ReplicaSet", "Pod", "Service", "Secret", "ServiceAccount"] as const) {
    expect((await cluster.list({ kind, namespace, labelSelector: "aether.dev/app" })).items).toEqual([]);
  }
  await runtime.remove("shop");
  const again = await release(files("two"));
  await runtime.apply(again);
  expect(await verdict(again.deploymentId)).toMatchObject({ type: "running" });
});

testOnKubernetes("a replica that stops serving later says why, and a namespace that is mended is used", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const server = `
    const http = require("node:http");
    const server = http.createServer((request, response) => {
      if (request.url === "/end") setTimeout(() => process.exit(3), 50);
      response.end("one");
    });
    server.listen(process.env.PORT);`;
  const wanted = await release({ ...files("one"), "server.js": server });
  await runtime.apply(wanted);
  expect(await verdict(wanted.deploymentId)).toMatchObject({ type: "running" });
  const url = runtime.url("shop") ?? "";
  const end = () => fetch(`${url}/end`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  const failing = async () => {
    await end();
    return (await runtime.replicas("shop")).find(({ failure }) => failure !== undefined);
  };
  const replica = await waitFor("a replica that crashes again and again", failing, slow);
  expect(replica.failure).toMatchObject({ reason: "crash_loop", message: expect.stringContaining("code 3") });

  const metadata = { name: "none", namespace };
  await cluster.create({ apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard: { services: "0" } } });
  await cluster.remove({ kind: "Service", namespace, name: "shop" });
  await waitFor("the refusal", () => harness.logged.some((line) => line.includes("refuses a release that ran")), slow);
  await cluster.remove({ kind: "ResourceQuota", namespace, name: "none" });
  await waitFor("the Service anew", () => cluster.get({ kind: "Service", namespace, name: "shop" }), slow);
});

testOnKubernetes("what the next release has no more goes with the one before", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const one = await release(files("one"), { replicas: 2, pins: { ingress: { host: "shop.example.com" } } });
  await runtime.apply(one);
  expect(await verdict(one.deploymentId)).toMatchObject({ type: "running" });
  expect(runtime.url("shop")).toBe("http://shop.example.com");
  const kinds = ["Ingress", "PodDisruptionBudget"] as const;
  const names = async () =>
    (await Promise.all(kinds.map((kind) => cluster.list({ kind, namespace })))).map(({ items }) => items.length);
  expect(await names()).toEqual([1, 1]);
  const two = await release(files("two"), { replicas: 1 });
  await runtime.apply(two);
  expect(await verdict(two.deploymentId)).toMatchObject({ type: "running" });
  expect(await names()).toEqual([0, 0]);
  expect(runtime.url("shop")).toMatch(/^http:.*:3\d{4}$/);
});

testOnKubernetes("Secrets and agents that nothing names are collected, and those that pods need stay", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const wanted = await release(files("one"), { env: { GREETING: "hello" } });
  await runtime.apply(wanted);
  await verdict(wanted.deploymentId);
  const labels = { app: "shop", "aether.dev/app": "shop" };
  await cluster.create({ apiVersion: "v1", kind: "Secret", metadata: { name: "shop-env-old", namespace, labels } });
  await cluster.create({ apiVersion: "v1", kind: "Secret", metadata: { name: "somebodys", namespace } });
  const gone = await collect(cluster, { namespace, inUse: new Set(), youngMs: -1 });
  expect(gone).toEqual(["Secret shop-env-old"]);
  const names = (await cluster.list({ kind: "Secret", namespace })).items.map(({ metadata }) => metadata?.name);
  expect(names).toEqual(expect.arrayContaining(["somebodys", expect.stringMatching(/^shop-env-/)]));
  expect((await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "aether.dev/agent" })).items).toHaveLength(
    1,
  );
});

testOnKubernetes("what the cluster refuses is a failure at once, and nobody's object is taken over", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const service = { name: "taken", namespace, labels: { app: "taken" } };
  const spec = { ports: [{ port: 1234 }] };
  await cluster.create({ apiVersion: "v1", kind: "Service", metadata: service, spec });
  const failure = { reason: "admission_denied", message: expect.stringContaining('Service "taken"') };
  const taken = await release(files("one"), { app: "taken" });
  await runtime.apply(taken);
  expect(await verdict(taken.deploymentId)).toMatchObject({ type: "failed", failure });
  expect((await cluster.get({ kind: "Service", namespace, name: "taken" }))?.spec?.ports?.[0]?.port).toBe(1234);

  const wrong = await release(files("one"), { app: "wrong", pins: { tolerations: [{ key: "x", operator: "Bogus" }] } });
  await runtime.apply(wrong);
  expect(await verdict(wrong.deploymentId)).toMatchObject({
    type: "failed",
    failure: { reason: "admission_denied", message: expect.stringContaining("Bogus") },
  });
});

testOnKubernetes("a quota without room for a pod is named", async () => {
  await using harness = await createKubernetesHarness();
  const { runtime, cluster, namespace, release, verdict } = harness;
  const metadata = { name: "none", namespace };
  await cluster.create({ apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard: { pods: "0" } } });
  const wanted = await release(files("one"));
  await runtime.apply(wanted);
  expect(await verdict(wanted.deploymentId)).toMatchObject({
    type: "failed",
    failure: { reason: "quota_exceeded", message: expect.stringContaining("exceeded quota: none") },
  });
});

testOnKubernetes("a namespace that does not exist is named at the start, with the command that makes it", async () => {
  const { kubeconfigs } = clusterLocation(process.env);
  const cluster = await openCluster({ kubeconfigs });
  const runtime = createKubernetesRuntime({
    cluster,
    settings: {
      namespace: "no-such",
      runtimeImage: "x",
      serviceType: "ClusterIP",
      graceSeconds: 1,
      storageOrigins: [],
    },
    agent: "",
    log: createLogger({ level: "error", format: "json", write: () => {} }),
    startTimeoutMs: 1_000,
  });
  await expect(runtime.start(() => {})).rejects.toMatchObject({
    code: "config_invalid",
    hint: expect.stringContaining("kubectl create namespace no-such"),
  });
  await runtime.stop();
});
