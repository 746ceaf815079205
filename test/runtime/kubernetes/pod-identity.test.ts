import { describe, expect, test } from "bun:test";
import { $ } from "bun";
import type { Cluster } from "../../../src/k8s/cluster.ts";
import { createPodIdentity } from "../../../src/runtime/kubernetes/pod-identity.ts";
import { freePort } from "../../harness/agent.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { kubernetesTier, openTestCluster, openTestClusterBy } from "../../harness/kubernetes.ts";
import { createNamespace } from "../../harness/namespace.ts";

/** A ServiceAccount's token as the kubelet projects it; for the API server itself with no `audience`. */
async function tokenOf(
  { cluster, name: namespace }: { cluster: Cluster; name: string },
  account: string,
  audience: string[] = ["--audience", "aether"],
): Promise<string> {
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace } });
  const made = await $`kubectl -n ${namespace} create token ${account} ${audience} --duration 10m`.quiet();
  return made.text().trim();
}

/** The real API server, and how often it was asked. */
function counted(cluster: Cluster) {
  const asked = { times: 0 };
  const create: Cluster["create"] = (object, options) => {
    asked.times += 1;
    return cluster.create(object, options);
  };
  return { asked, cluster: { server: cluster.server, create } };
}

describe.skipIf(!kubernetesTier().available)("on a real cluster", () => {
  test("a pod's token names its app, for both kinds of ServiceAccount, and is asked about once a minute", async () => {
    await using space = await createNamespace();
    const { asked, cluster } = counted(space.cluster);
    let now = 0;
    const identify = createPodIdentity({ cluster, namespace: space.name, clock: () => now });
    const token = await tokenOf(space, "aether-app-shop");
    expect(await Promise.all([identify(token), identify(token)])).toEqual([{ app: "shop" }, { app: "shop" }]);
    now = 59_999;
    expect(await identify(token)).toEqual({ app: "shop" });
    expect(asked.times).toBe(1);
    now = 60_001;
    expect(await identify(token)).toEqual({ app: "shop" });
    expect(asked.times).toBe(2);
    expect(await identify(await tokenOf(space, "aether-dev-hot-my-shop"))).toEqual({ app: "my-shop" });
  });

  test("a token that is bound to a pod names it", async () => {
    await using space = await createNamespace();
    const { name: namespace, cluster } = space;
    await tokenOf(space, "aether-app-shop");
    const spec = { serviceAccountName: "aether-app-shop", containers: [{ name: "app", image: "busybox:1" }] };
    const metadata = { name: "shop-1", namespace };
    await cluster.apply({ apiVersion: "v1", kind: "Pod", metadata, spec });
    const bound = ["--bound-object-kind", "Pod", "--bound-object-name", "shop-1"];
    const token = await $`kubectl -n ${namespace} create token aether-app-shop --audience aether ${bound}`.text();
    const identify = createPodIdentity({ cluster, namespace });
    expect(await identify(token.trim())).toEqual({ app: "shop", pod: "shop-1" });
  });

  test("a token of another audience, namespace or account is nobody's", async () => {
    await using space = await createNamespace();
    await using elsewhere = await createNamespace({ cluster: space.cluster });
    const identify = createPodIdentity({ cluster: space.cluster, namespace: space.name });
    for (const token of [
      await tokenOf(space, "aether-app-shop", []),
      await tokenOf(space, "aether-app-shop", ["--audience", "vault"]),
      await tokenOf(elsewhere, "aether-app-shop"),
      await tokenOf(space, "shop"),
      await tokenOf(space, "aether-app"),
      await tokenOf(space, "aether-app-kubernetes"),
    ]) {
      expect(await identify(token)).toBeUndefined();
    }
    expect(await identify(await tokenOf(space, "aether-app-shop"))).toEqual({ app: "shop" });
  });

  test("a forged token is nobody's, and what says nothing of a pod is not even sent on", async () => {
    await using space = await createNamespace();
    const { asked, cluster } = counted(space.cluster);
    let now = 0;
    const identify = createPodIdentity({ cluster, namespace: space.name, clock: () => now });
    const real = await tokenOf(space, "aether-app-shop");
    const [header, claims = "", signature] = real.split(".");
    const text = Buffer.from(claims, "base64url").toString().replaceAll("aether-app-shop", "aether-app-bank");
    const forged = [header, Buffer.from(text).toString("base64url"), signature].join(".");
    expect(await identify(forged)).toBeUndefined();
    expect(await identify(forged)).toBeUndefined();
    expect(asked.times).toBe(1);
    now = 5_001; // a refusal is forgotten sooner
    expect(await identify(forged)).toBeUndefined();
    expect(asked.times).toBe(2);
    for (const token of [
      "",
      "aether_abc",
      "a.b.c",
      `a.${btoa("null")}.c`,
      `a.${btoa('{"sub":7}')}.c`,
      "x".repeat(9_000),
    ]) {
      expect(await identify(token)).toBeUndefined();
    }
    expect(asked.times).toBe(2);
  });

  test("an API server that is away, or does not let us ask, is 503, and asked again", async () => {
    await using space = await createNamespace();
    const token = await tokenOf(space, "aether-app-shop");
    await using nowhere = await openTestClusterBy({ port: await freePort() });
    const away = createPodIdentity({ cluster: nowhere.cluster, namespace: space.name });
    expect(await failureOf(away(token))).toMatchObject({ code: "service_unavailable" });
    const ofNoRights = await tokenOf(space, "powerless", []);
    await using denied = await openTestClusterBy({ token: ofNoRights });
    const powerless = counted(denied.cluster);
    const identify = createPodIdentity({ cluster: powerless.cluster, namespace: space.name });
    expect(await failureOf(identify(token))).toMatchObject({
      code: "service_unavailable",
      cause: { problem: "forbidden" },
    });
    expect(await failureOf(identify(token))).toMatchObject({
      code: "service_unavailable",
      cause: { problem: "forbidden" },
    });
    expect(powerless.asked.times).toBe(2);
    expect(await createPodIdentity({ cluster: await openTestCluster(), namespace: space.name })(token)).toEqual({
      app: "shop",
    });
  });
});
