import { describe, expect, test } from "bun:test";
import { $ } from "bun";
import { failureOf } from "../harness/failure-of.ts";
import { kubernetesTier, openTestClusterBy } from "../harness/kubernetes.ts";
import { createNamespace } from "../harness/namespace.ts";
import { waitFor } from "../harness/wait-for.ts";

describe.skipIf(!kubernetesTier().available)("on a real cluster", () => {
  test("an object applied twice keeps its resourceVersion, and a field set by kubectl stays", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const object = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings", namespace },
      data: { ours: "1" },
    };

    const first = await cluster.apply(object);
    const second = await cluster.apply(object);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion as string);

    await $`kubectl -n ${namespace} patch configmap settings --type merge -p '{"data":{"theirs":"2","ours":"9"}}'`.quiet();
    await cluster.apply(object);
    const held = await cluster.get({ kind: "ConfigMap", namespace, name: "settings" });
    expect(held?.data).toEqual({ ours: "1", theirs: "2" });
    expect(held?.metadata?.managedFields?.map((entry) => entry.manager)).toContain("aether");
  });

  test("a dry run checks and keeps nothing", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace } };

    await cluster.apply(object, { dryRun: true });
    expect(await cluster.get({ kind: "ConfigMap", namespace, name: "settings" })).toBeUndefined();
    expect(await failureOf(cluster.apply({ ...object, dta: {} }, { dryRun: true }))).toMatchObject({
      problem: "invalid",
    });
  });

  test("what is refused says why", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const settings = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace } };
    const nowhere = { ...settings, metadata: { name: "settings", namespace: "no-such-namespace" } };
    await cluster.create(settings);

    expect(await failureOf(cluster.create(settings))).toMatchObject({ problem: "already_exists" });
    expect(await failureOf(cluster.apply(nowhere))).toMatchObject({ problem: "not_found" });
    expect(await failureOf(cluster.apply({ ...settings, metadata: { name: "No_Name", namespace } }))).toMatchObject({
      problem: "invalid",
    });
    const stale = { metadata: { resourceVersion: "1", labels: { a: "b" } } };
    expect(await failureOf(cluster.patch({ kind: "ConfigMap", namespace, name: "settings" }, stale))).toMatchObject({
      problem: "conflict",
    });
    const other = { uid: "00000000-0000-0000-0000-000000000000" };
    expect(await failureOf(cluster.remove({ kind: "ConfigMap", namespace, name: "settings" }, other))).toMatchObject({
      problem: "conflict",
    });
  });

  test("a quota's refusal is not taken for missing rights", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    await cluster.apply({
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "none", namespace },
      spec: { hard: { "count/configmaps": "0" } },
    });
    const one = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one", namespace } };
    // Until it has counted what is there, the API server says that the quota's status is unknown.
    const refused = await waitFor("the quota to be counted", async () => {
      const failure = await failureOf(cluster.apply(one, { dryRun: true })).catch(() => undefined);
      return failure?.message.includes("status unknown") ? undefined : failure;
    });
    expect(refused).toMatchObject({ problem: "denied", message: expect.stringContaining("exceeded quota: none") });
  });

  test("removing tells whether there was something", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    await cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace } });

    expect(await cluster.remove({ kind: "ConfigMap", namespace, name: "settings" })).toBe(true);
    expect(await cluster.remove({ kind: "ConfigMap", namespace, name: "settings" })).toBe(false);
  });

  test("a list of several pages is whole", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const names = Array.from({ length: 620 }, (_, index) => `settings-${index}`);
    const items = names.map((name) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, labels: { many: "yes" } },
    }));
    await $`kubectl -n ${namespace} create -f - < ${Buffer.from(JSON.stringify({ apiVersion: "v1", kind: "List", items }))}`.quiet();

    const { items: listed } = await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "many=yes" });
    expect(listed.map((item) => item.metadata?.name).sort()).toEqual(names.sort());
    expect(listed[0]).toMatchObject({ kind: "ConfigMap", apiVersion: "v1" });

    await using mirror = cluster.reflect(
      { kind: "ConfigMap", namespace, labelSelector: "many=yes" },
      { project: (item) => item.metadata?.name },
    );
    await mirror.ready;
    expect(mirror.items().sort()).toEqual(names.sort());
  });

  test("a reflector hears of an object that is made, changed and removed", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const heard: string[] = [];
    await using mirror = cluster.reflect(
      { kind: "ConfigMap", namespace, fieldSelector: "metadata.name=settings" },
      { onChange: ({ type, object }) => heard.push(`${type} ${object.data?.step}`) },
    );
    await mirror.ready;
    expect(mirror.items()).toEqual([]);
    const settings = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings", namespace } };

    await cluster.apply({ ...settings, data: { step: "1" } });
    await cluster.apply({ ...settings, data: { step: "2" } });
    await waitFor("the second step", () => mirror.get("settings")?.data?.step === "2");
    await cluster.remove({ kind: "ConfigMap", namespace, name: "settings" });
    await waitFor("the end", () => mirror.items().length === 0);
    expect(heard).toEqual(["added 1", "changed 2", "deleted 2"]);
  });

  test("an account without rights is told which verb and resource it lacks", async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "nobody", namespace } });
    const token = (await $`kubectl -n ${namespace} create token nobody`.quiet().text()).trim();
    await using nobody = await openTestClusterBy({ token });

    expect(await failureOf(nobody.cluster.list({ kind: "Pod", namespace }))).toMatchObject({
      problem: "forbidden",
      hint: expect.stringContaining("list on pods"),
    });
    await using wrong = await openTestClusterBy({ token: "not-a-token" });
    expect(await failureOf(wrong.cluster.list({ kind: "Pod", namespace }))).toMatchObject({ problem: "unauthorized" });
  });
});
