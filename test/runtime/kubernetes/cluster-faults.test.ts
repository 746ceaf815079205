import { expect, test } from "bun:test";
import { $ } from "bun";
import { createCuttingProxy } from "../../harness/cutting-proxy.ts";
import { longKubernetesTier, openTestClusterBy, testClusterAddress } from "../../harness/kubernetes.ts";
import { createKubernetesHarness, type KubernetesHarness } from "../../harness/kubernetes-runtime.ts";
import { answering, packageJson } from "../../harness/project.ts";
import { waitFor } from "../../harness/wait-for.ts";

const kubernetes = longKubernetesTier();
const testOnKubernetes = (what: string, work: () => Promise<void>) =>
  test.skipIf(!kubernetes.available)(what, work, 120_000);
const files = (text: string) => ({ "package.json": packageJson("shop"), "server.js": answering(text) });

testOnKubernetes("an API server that goes away in the middle of a rollout costs time and nothing else", async () => {
  await using harness = await createKubernetesHarness();
  await using proxy = await createCuttingProxy(await testClusterAddress());
  await using through = await openTestClusterBy({ port: proxy.port });
  const { runtime, verdict, events } = await harness.startRuntime({ reach: () => through.cluster });
  const one = await harness.release(files("one"));
  await runtime.apply(one);
  expect(await verdict(one.deploymentId)).toMatchObject({ type: "running" });

  const two = await harness.release(files("two"));
  await runtime.apply(two);
  const isTwo = async () =>
    (await harness.deployment())?.metadata?.annotations?.["aether.dev/deployment"] === two.deploymentId;
  await waitFor("the rollout to begin", isTwo, { withinMs: 20_000 });
  proxy.goAway();
  await waitFor("a replica of it", async () => (await harness.deployment())?.status?.availableReplicas === 1, {
    withinMs: 30_000,
  });
  const three = await harness.release(files("three"));
  await runtime.apply(three); // while nothing can be asked
  await waitFor("it to be tried", () => proxy.refusals() > 3, { withinMs: 20_000 });
  expect(events.filter(({ deploymentId }) => deploymentId === three.deploymentId)).toEqual([]);
  proxy.comeBack();
  expect(await verdict(three.deploymentId)).toMatchObject({ type: "running" });
  expect(events.filter(({ type }) => type === "failed")).toEqual([]);
});

testOnKubernetes("a server that is there before its cluster says so, and works when it comes", async () => {
  await using harness = await createKubernetesHarness();
  await using proxy = await createCuttingProxy(await testClusterAddress());
  await using through = await openTestClusterBy({ port: proxy.port });
  proxy.goAway();
  const { runtime, verdict } = await harness.startRuntime({ reach: () => through.cluster });
  await expect(runtime.check()).rejects.toMatchObject({ code: "unreachable" });
  const one = await harness.release(files("one"));
  await runtime.apply(one);
  proxy.comeBack();
  expect(await verdict(one.deploymentId)).toMatchObject({ type: "running" });
  await runtime.check();
});

testOnKubernetes("the rights that are documented are enough, and without them the failure names one", async () => {
  await using harness = await createKubernetesHarness();
  const { cluster, namespace } = harness;
  const token = await tokenOf(harness);
  await using limited = await openTestClusterBy({ token });
  const { runtime, verdict } = await harness.startRuntime({ reach: () => limited.cluster });
  const refused = await harness.release(files("one"));
  await runtime.apply(refused);
  const message = expect.stringMatching(/cannot (list|watch|get).*Give the account of this server a Role/s);
  expect(await verdict(refused.deploymentId)).toMatchObject({
    type: "failed",
    failure: { reason: "admission_denied", message },
  });

  const all = ["*"];
  const metadata = { name: "aether", namespace };
  const own = ["services", "secrets", "configmaps", "serviceaccounts"];
  await cluster.apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata,
    rules: [
      { apiGroups: [""], resources: own, verbs: all },
      { apiGroups: ["apps"], resources: ["deployments"], verbs: all },
      { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: all },
      { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: all },
      { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: all },
      { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get", "list", "watch", "delete"] },
      { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "delete"] },
      { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
      { apiGroups: [""], resources: ["events"], verbs: ["list", "watch"] },
      { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: ["list", "delete"] },
    ],
  });
  await cluster.apply({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "aether" },
    subjects: [{ kind: "ServiceAccount", name: "aether", namespace }],
  });
  const allowed = await harness.release(files("one"));
  await waitFor(
    "the watches to begin",
    () =>
      runtime
        .check()
        .then(() => true)
        .catch(() => false),
    { withinMs: 60_000 },
  );
  await runtime.apply(allowed);
  expect(await verdict(allowed.deploymentId)).toMatchObject({ type: "running" });
  expect((await runtime.platform()).os).toBe("linux");
  const lines = await Array.fromAsync(runtime.logs("shop", {}, AbortSignal.timeout(5_000)));
  expect(lines.map(({ line }) => line)).toContain("listening");
  await runtime.remove("shop");
});

async function tokenOf({ cluster, namespace }: KubernetesHarness): Promise<string> {
  const metadata = { name: "aether", namespace };
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata });
  return (await $`kubectl -n ${namespace} create token aether`.quiet().text()).trim();
}
