import { expect, test } from "bun:test";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

/** An app whose dev-hot release runs, and the digests of further artifacts of it. */
async function runHot(aether: Harness) {
  const { digest } = await aether.store("shop", someBytes("one"));
  await aether.send("POST", "/deployments", { app_name: "shop", digest, dev_hot: true, replicas: 2 });
  await aether.rollouts.reconcile();
  aether.runtime.succeed("shop");
  await aether.rollouts.settle();
  return digest;
}

async function annotate(aether: Harness, digest: string) {
  aether.runtime.annotate("shop", digest);
  await aether.rollouts.settle();
  await aether.rollouts.reconcile();
}

const versions = async (aether: Harness) => {
  const { body } = await aether.send("GET", "/apps/shop/deployments");
  return body.map(({ version, status, dev_hot }: Record<string, unknown>) => [version, status, dev_hot]);
};

withDatabases("dev-hot", (open) => {
  test("the pins of what runs go on while the code alone changes, and not when anything else does", async () => {
    await using aether = await createHarness({ open });
    const asked: unknown[] = [];
    aether.runtime.pins = async ({ version, reloads }) => {
      asked.push(reloads);
      return { made: version };
    };
    await runHot(aether);
    const { digest } = await aether.store("shop", someBytes("two"));
    const deploy = async (more: object) => {
      await aether.send("POST", "/deployments", { app_name: "shop", digest, replicas: 2, ...more });
      await aether.rollouts.reconcile();
    };
    await deploy({ dev_hot: true });
    await deploy({ dev_hot: true, config: { start: "node other.js" } });
    await deploy({});
    await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" }, deploy: false });
    await deploy({ dev_hot: true });
    expect(asked).toEqual([undefined, { made: 1 }, undefined, undefined, undefined]);
    expect(aether.runtime.applied.map(({ devHot }) => devHot)).toEqual([true, true, true, false, true]);
  });

  test("a digest that somebody annotated is a deployment of kubectl's, once", async () => {
    await using aether = await createHarness({ open });
    await runHot(aether);
    const { digest } = await aether.store("shop", someBytes("two"));
    for (let time = 0; time < 2; time += 1) await annotate(aether, digest);
    expect(await versions(aether)).toEqual([
      [2, "pending", true],
      [1, "running", true],
    ]);
    expect(aether.runtime.applied.at(-1)).toMatchObject({ version: 2, digest, devHot: true, replicas: 2 });
    const { body } = await aether.send("GET", "/audit?app=shop");
    expect(JSON.stringify(body)).toContain('"kubectl"');
  });

  test("what failed last, is no artifact of the app, is not signed, or meets a lock, is left alone", async () => {
    await using aether = await createHarness({ open });
    await runHot(aether);
    const { digest: broken } = await aether.store("shop", someBytes("broken"));
    const { digest: foreign } = await aether.store("other", someBytes("foreign"));
    const { digest: locked } = await aether.store("shop", someBytes("locked"));
    await annotate(aether, broken);
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    await annotate(aether, broken);
    await annotate(aether, foreign);
    await annotate(aether, "ab".repeat(32));
    await aether.send("PUT", "/apps/shop/lock", { reason: "we migrate" });
    await annotate(aether, locked);
    expect(await versions(aether)).toEqual([
      [2, "failed", true],
      [1, "running", true],
    ]);
  });

  test("an app that is not dev-hot adopts nothing", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    await aether.send("POST", "/deployments", { app_name: "shop", digest });
    const { digest: other } = await aether.store("shop", someBytes("two"));
    await annotate(aether, other);
    expect(await versions(aether)).toEqual([[1, "pending", false]]);
  });
});
