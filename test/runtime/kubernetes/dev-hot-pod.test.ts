import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { $ } from "bun";
import { parseMarker } from "../../../src/core/hot-markers.ts";
import { hotDigest, hotDigestManager } from "../../../src/k8s/builders/hot-digest.ts";
import { objects } from "../../../src/k8s/builders/objects.ts";
import { createPodIdentity } from "../../../src/runtime/kubernetes/pod-identity.ts";
import { appRelease } from "../../harness/app-release.ts";
import { packFiles } from "../../harness/artifact-store.ts";
import { busyApp } from "../../harness/busy-app.ts";
import { kubernetesTier } from "../../harness/kubernetes.ts";
import { runtimeImage } from "../../harness/kubernetes-server.ts";
import { agentPath } from "../../harness/local-runtime.ts";
import { createNamespace } from "../../harness/namespace.ts";
import { adminToken, bearer, createGuardedHarness } from "../../harness/tokens.ts";
import { waitFor } from "../../harness/wait-for.ts";

/** At which pods of the testbed reach this machine. */
const machine = "10.244.0.1";

/** A control plane that pods reach, and a dev-hot release of two replicas, its objects applied by hand. */
async function createPlace() {
  const space = await createNamespace({ labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
  const { cluster, name: namespace } = space;
  const identifyPod = createPodIdentity({ cluster, namespace });
  const aether = await createGuardedHarness({ reachableAt: machine, http: { identifyPod } });
  const source = await readFile(await agentPath(), "utf8");
  const store = async (text: string, app = "shop") =>
    (await aether.store(app, await packFiles({ ...busyApp(text), "early.cjs": "" }), bearer(adminToken)))
      .digest as string;
  const digest = await store("one");
  const downloadUrl = `${aether.internalUrl}/artifacts/${digest}/download?app=shop`;
  const of = { digest, downloadUrl, deploymentId: "d1", version: 1 };
  const release = appRelease({
    ...of,
    namespace,
    storageOrigins: [aether.internalUrl],
    agent: { source, hash: createHash("sha256").update(source).digest("hex") },
    runtimeImage,
    replicas: 2,
    start: "node server.js",
    env: { values: { NODE_OPTIONS: "--require ./early.cjs --stack-trace-limit=77" }, nameKey: "k" },
    devHot: { base: of, drainSec: 2 },
  });
  return {
    namespace,
    store,
    /** As a server does: by force when it is a release that is meant, without when it is applied again. */
    async apply(force: boolean) {
      for (const object of objects(release)) await cluster.apply(object);
      await cluster.apply(hotDigest(release), { manager: hotDigestManager, force });
    },
    async pods() {
      const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: "app=shop" });
      return items
        .filter(({ metadata }) => !metadata?.deletionTimestamp)
        .map(({ metadata, status }) => ({
          name: metadata?.name ?? "",
          ip: status?.podIP ?? "",
          restarts: [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(
            (one) => one.restartCount,
          ),
          ready: status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
        }));
    },
    annotate: (value: string) =>
      $`kubectl -n ${namespace} annotate --overwrite deployment shop aether.dev/digest=${value}`.quiet(),
    markers: async (pod: string) =>
      (await $`kubectl -n ${namespace} logs ${pod} -c fetcher`.text())
        .split("\n")
        .flatMap((line) => parseMarker(line) ?? []),
    exec: async (pod: string, container: string, script: string) =>
      (await $`kubectl -n ${namespace} exec ${pod} -c ${container} -- sh -c ${script}`.nothrow().text()).trim(),
    canI: async (...what: string[]) =>
      (
        await $`kubectl auth can-i -n ${namespace} --as system:serviceaccount:${namespace}:aether-dev-hot-shop ${what}`
          .nothrow()
          .text()
      ).trim(),
    async end() {
      await aether[Symbol.asyncDispose]();
      await space[Symbol.asyncDispose]();
    },
  };
}

const ask = async (ip: string, path = "/") => (await fetch(`http://${ip}:3000${path}`, { keepalive: false })).text();

describe.skipIf(!kubernetesTier().available)("dev-hot pods", () => {
  let place: Awaited<ReturnType<typeof createPlace>>;
  const ready = () =>
    waitFor(
      "two ready pods",
      async () => {
        const pods = await place.pods();
        return pods.length === 2 && pods.every((pod) => pod.ready) && pods;
      },
      { withinMs: 60_000, everyMs: 100 },
    );
  const allServe = async (text: string) => {
    const begin = performance.now();
    const ips = (await place.pods()).map(({ ip }) => ip);
    await waitFor(
      `all pods to serve ${text}`,
      async () => (await Promise.all(ips.map((ip) => ask(ip)))).every((body) => body === text),
      { withinMs: 10_000 },
    );
    return Math.round(performance.now() - begin);
  };

  beforeAll(async () => {
    place = await createPlace();
    await place.apply(true);
    await ready();
  }, 180_000);
  afterAll(() => place?.end());

  test("H1: kubectl annotate brings new code into the running pods within 10 s, and replaces none of them", async () => {
    expect(await allServe("one")).toBeLessThan(10_000);
    const before = await place.pods();
    const two = await place.store("two");
    await place.annotate(`sha256:${two}`);
    console.error(`annotated to both replicas serving: ${await allServe("two")} ms`);
    expect(await place.pods()).toEqual(before);
    await expect(place.apply(false)).rejects.toMatchObject({ problem: "conflict" });
    expect(await place.pods()).toEqual(before);
    expect(await allServe("two")).toBeLessThan(10_000);
  }, 60_000);

  test("H2: a digest that is the same does nothing", async () => {
    const three = await place.store("three");
    await place.annotate(three);
    await allServe("three");
    const pods = await place.pods();
    const state = () =>
      Promise.all(pods.map(async ({ name, ip }) => [await ask(ip, "/pid"), (await place.markers(name)).length]));
    const before = await state();
    await place.annotate(`sha256:${three}`);
    const bad = "ab".repeat(32); // told and left alone: so long nothing else has happened, either
    await place.annotate(bad);
    for (const { name } of pods)
      await waitFor("the marker of another digest", async () =>
        (await place.markers(name)).some((one) => one.kind === "fail"),
      );
    expect(await state()).toEqual(before.map(([pid, markers]) => [pid ?? "", Number(markers) + 2]));
    await allServe("three");
  }, 60_000);

  test("another app's code is refused, and what runs stays", async () => {
    const digest = await place.store("secret", "other");
    await place.annotate(digest);
    const [pod] = await place.pods();
    const marker = await waitFor("the refusal", async () =>
      (await place.markers(pod?.name ?? "")).find((one) => one.digest === digest && one.kind === "fail"),
    );
    expect(marker).toMatchObject({ reason: "unauthorized" });
    await allServe("three");
  }, 60_000);

  test("a pod that comes later converges on the annotation, not on the release it was made with", async () => {
    const four = await place.store("four");
    await place.annotate(four);
    await allServe("four");
    const [pod] = await place.pods();
    await $`kubectl -n ${place.namespace} delete pod ${pod?.name} --wait=false`.quiet();
    await waitFor("it to be replaced", async () => (await place.pods()).every(({ name }) => name !== pod?.name));
    await ready();
    await allServe("four");
  }, 120_000);

  test("the application reaches no token and cannot forge a wish; the fetcher's own may look at one Deployment, and that is all", async () => {
    const [pod] = await place.pods();
    const name = pod?.name ?? "";
    expect(
      await place.exec(name, "app", "ls /var/run/aether /var/run/aether-api /var/run/secrets 2>/dev/null | wc -l"),
    ).toBe("0");
    expect(
      await place.exec(
        name,
        "app",
        "touch /aether-hot/wish.json 2>/dev/null && echo written; ls /proc | grep -c '^[0-9]'",
      ),
    ).not.toContain("written");
    expect(
      await place.exec(
        name,
        "app",
        "for f in /proc/[0-9]*/environ; do tr '\\0' '\\n' <$f; done | grep -c AETHER_TOKEN_FILE",
      ),
    ).toBe("0");
    const allowed = await Promise.all([
      place.canI("get", "deployments/shop"),
      place.canI("watch", "deployments/shop"),
      place.canI("list", "deployments"),
      place.canI("get", "deployments/other"),
      place.canI("patch", "deployments/shop"),
      place.canI("get", "secrets"),
      place.canI("list", "pods"),
    ]);
    expect(allowed).toEqual(["yes", "yes", "no", "no", "no", "no", "no"]);
  }, 60_000);

  test("NODE_OPTIONS of the application are its own, and process 1 leaves no zombies", async () => {
    const [pod] = await place.pods();
    expect(JSON.parse(await ask(pod?.ip ?? "", "/env")).NODE_OPTIONS).toMatch(
      /^--require "\/aether-hot\/preload.cjs" --require/,
    );
    await waitFor(
      "no zombies",
      async () =>
        (await place.exec(pod?.name ?? "", "app", "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l")) ===
        "0",
    );
  }, 60_000);
});
