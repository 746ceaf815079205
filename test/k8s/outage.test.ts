import { describe, expect, test } from "bun:test";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { createCuttingProxy } from "../harness/cutting-proxy.ts";
import { longKubernetesTier, openTestClusterBy, testClusterAddress } from "../harness/kubernetes.ts";
import { createNamespace } from "../harness/namespace.ts";
import { waitFor } from "../harness/wait-for.ts";

describe.skipIf(!longKubernetesTier().available)("while the API server goes away", () => {
  test("no transition is lost and none is told twice", async () => {
    await using space = await createNamespace();
    await using proxy = await createCuttingProxy(await testClusterAddress());
    await using through = await openTestClusterBy({ port: proxy.port });
    const heard: string[] = [];
    const types = new Set<string>();
    await using mirror = through.cluster.reflect(
      { kind: "ConfigMap", namespace: space.name, labelSelector: "steps=yes" },
      {
        onChange: ({ type, object }) => {
          types.add(type);
          heard.push(`${object.metadata?.name} ${type === "deleted" ? type : object.data?.step}`);
        },
      },
    );
    await mirror.ready;
    const told: string[] = [];
    const step = async (name: string, count: number) => {
      await applyStep(space, name, count);
      told.push(`${name} ${count}`);
    };

    await step("a", 1);
    for (let outage = 1; outage <= 3; outage += 1) {
      proxy.goAway();
      await step("a", 10 * outage);
      await step("a", 10 * outage + 1);
      await step(`born-${outage}`, 1);
      await space.cluster.remove({ kind: "ConfigMap", namespace: space.name, name: `born-${outage}` });
      told.push(`born-${outage} deleted`);
      proxy.comeBack();
      await waitFor("what happened meanwhile", () => heard.length === told.length, { withinMs: 20_000 });
    }
    expect(heard).toEqual(told);
    expect([...types].sort()).toEqual(["added", "changed", "deleted"]);
  });

  test("calls that may be repeated succeed across a short outage", async () => {
    await using space = await createNamespace();
    await using proxy = await createCuttingProxy(await testClusterAddress());
    await using through = await openTestClusterBy({ port: proxy.port });
    await through.cluster.version();
    proxy.goAway();
    const applied = applyStep({ cluster: through.cluster, name: space.name }, "a", 1);
    await waitFor("the first try to fail", () => proxy.refusals() > 0);
    proxy.comeBack();
    expect((await applied).data?.step).toBe("1");
  });
});

const applyStep = (space: { cluster: Cluster; name: string }, name: string, step: number) =>
  space.cluster.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: space.name, labels: { steps: "yes" } },
    data: { step: String(step) },
  });
