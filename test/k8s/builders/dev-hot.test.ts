import { expect, test } from "bun:test";
import type { V1Deployment, V1Role } from "@kubernetes/client-node";
import { parseHotVariables } from "../../../src/core/pod-hot.ts";
import type { AppRelease } from "../../../src/k8s/builders/app-release.ts";
import { deployment } from "../../../src/k8s/builders/deployment.ts";
import { hotDigest, hotDigestManager } from "../../../src/k8s/builders/hot-digest.ts";
import { objects } from "../../../src/k8s/builders/objects.ts";
import { appRelease, hotRelease } from "../../harness/app-release.ts";
import { kubernetesTier } from "../../harness/kubernetes.ts";
import { createNamespace } from "../../harness/namespace.ts";

const kubernetes = kubernetesTier();
const podOf = (release: AppRelease) => (deployment(release) as Required<V1Deployment>).spec.template;

test("a reload changes nothing in the pods' template, nor a label: the same ReplicaSet", () => {
  const { devHot } = hotRelease();
  const reloaded = hotRelease({ digest: "cd".repeat(32), deploymentId: "8", version: 99, downloadUrl: "http://a/b" });
  expect(podOf({ ...reloaded, devHot })).toEqual(podOf(hotRelease()));
  expect(deployment({ ...reloaded, devHot }).metadata?.labels).toEqual(deployment(hotRelease()).metadata?.labels);
});

test("the sidecar is told the base, and the Deployment carries no digest that a re-apply would take back", () => {
  const release = hotRelease();
  const env = podOf(release).spec?.initContainers?.[0]?.env ?? [];
  const told = parseHotVariables(Object.fromEntries(env.map(({ name, value = "" }) => [name, value])));
  const { digest, downloadUrl } = appRelease();
  expect(told).toMatchObject({
    app: "shop",
    namespace: "aether-apps",
    digest,
    downloadUrl,
    fetchIntervalSec: 30,
    fetchMaxRetries: 10,
    graceSec: 10,
  });
  expect(Object.keys(deployment(release).metadata?.annotations ?? {}).sort()).toEqual([
    "aether.dev/artifact-url",
    "aether.dev/deployment",
    "aether.dev/dev-hot",
    "aether.dev/version",
  ]);
  expect(hotDigest(release).metadata?.annotations).toEqual({ "aether.dev/digest": release.digest });
});

test("its Role is to look at one Deployment by name, and nothing else", () => {
  const role = objects(hotRelease()).find((object): object is V1Role => object.kind === "Role");
  expect(role?.rules).toEqual([
    { apiGroups: ["apps"], resources: ["deployments"], resourceNames: ["shop"], verbs: ["get", "watch"] },
  ]);
  expect(objects(appRelease()).some(({ kind }) => kind === "Role" || kind === "RoleBinding")).toBe(false);
});

test("the application's container has neither token, cannot write what the fetcher wishes, and shares no processes", () => {
  const { spec } = podOf(hotRelease());
  const [app] = spec?.containers ?? [];
  expect(app?.volumeMounts).toEqual([
    { name: "workspace", mountPath: "/workspace" },
    { name: "tmp", mountPath: "/tmp" },
    { name: "aether-agent", mountPath: "/aether", readOnly: true },
    { name: "aether-hot", mountPath: "/aether-hot", readOnly: true },
  ]);
  expect(spec?.initContainers?.[0]?.volumeMounts?.map(({ name }) => name)).not.toContain("tmp");
  expect(spec).not.toHaveProperty("shareProcessNamespace");
});

test.skipIf(!kubernetes.available)(
  "a digest that somebody annotated is not reverted by a re-apply, and is by a new one that is meant",
  async () => {
    await using namespace = await createNamespace();
    const { cluster, name } = namespace;
    const release = hotRelease({ namespace: name, replicas: 0 });
    const ref = { kind: "Deployment" as const, namespace: name, name: "shop" };
    const digest = async () => (await cluster.get(ref))?.metadata?.annotations?.["aether.dev/digest"];
    const applyAll = async () => {
      for (const object of objects(release)) await cluster.apply(object);
    };
    const state = (force: boolean, of = release) => cluster.apply(hotDigest(of), { manager: hotDigestManager, force });

    await applyAll();
    await state(true);
    expect(await digest()).toBe(release.digest);
    await applyAll();
    expect(await digest()).toBe(release.digest);
    await cluster.patch(ref, { metadata: { annotations: { "aether.dev/digest": "sha256:other" } } }); // as kubectl annotate
    await applyAll();
    await expect(state(false)).rejects.toMatchObject({ problem: "conflict" });
    expect(await digest()).toBe("sha256:other");
    await state(true, { ...release, digest: "cd".repeat(32) });
    expect(await digest()).toBe("cd".repeat(32));
  },
);
