import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { startRollouts } from "../../src/control/rollouts.ts";
import { artifacts } from "../../src/db/schema.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

async function deploy(aether: Harness, text: string, more: Record<string, unknown> = {}) {
  const { digest } = await aether.store("shop", someBytes(text));
  const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest, ...more });
  await aether.rollouts.settle();
  return { digest, ...body };
}

async function succeed(aether: Harness) {
  await aether.rollouts.settle();
  aether.runtime.succeed("shop");
  await aether.rollouts.settle();
}

async function run(aether: Harness, text: string, env?: Record<string, string>) {
  const deployed = await deploy(aether, text);
  await succeed(aether);
  if (env === undefined) return deployed;
  await aether.send("PUT", "/apps/shop/env", { set: env });
  await succeed(aether);
  return deployed;
}

const rollback = (aether: Harness, body = {}, headers = {}) =>
  aether.send("POST", "/apps/shop/rollback", body, headers);
const releases = async (aether: Harness) => (await aether.send("GET", "/apps/shop/releases")).body;
const variables = async (aether: Harness) =>
  Object.fromEntries(
    (await aether.send("GET", "/apps/shop/env?reveal=1")).body.map(({ name, value }: Record<string, string>) => [
      name,
      value,
    ]),
  );

withDatabases("releases", (open) => {
  test("a list tells of each what made it and which variables changed", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one", { A: "1", B: "2" });
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "2", C: "3" }, unset: ["B"] });
    await succeed(aether);
    await deploy(aether, "two");
    aether.runtime.fail("shop", { reason: "oom_killed" });
    await aether.rollouts.settle();
    await rollback(aether, { version: 2 });
    const told = await releases(aether);
    expect(
      told.map((one: Record<string, unknown>) => [one.version, one.status, one.origin, one.origin_version]),
    ).toEqual([
      [5, "pending", "rollback", 2],
      [4, "failed", "deploy", null],
      [3, "running", "env", null],
      [2, "superseded", "env", null],
      [1, "superseded", "deploy", null],
    ]);
    expect(told.map((one: Record<string, unknown>) => one.changed_variables)).toEqual([
      ["A", "B", "C"],
      [],
      ["A", "B", "C"],
      ["A", "B"],
      [],
    ]);
    expect(told.map((one: Record<string, unknown>) => one.running_at !== null)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(told[1]).toMatchObject({ failure_reason: "oom_killed", created_by: "anonymous", variables: ["A", "C"] });
    const page = (await aether.send("GET", "/apps/shop/releases?limit=1&offset=2")).body;
    expect(page).toEqual([told[2]]);
  });

  test("a rollback restores artifact, configuration and variables, without an upload", async () => {
    await using aether = await createHarness({ open });
    const config = { start: "node one.js", port: 4000 };
    const one = await deploy(aether, "one", { config, replicas: 2 });
    await succeed(aether);
    await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" } });
    await succeed(aether);
    await deploy(aether, "two");
    await aether.send("PUT", "/apps/shop/env", { set: { COLOR: "blue", SIZE: "9" } });
    await succeed(aether);
    const back = await rollback(aether, { version: 2 });
    expect(back).toMatchObject({ status: 201, body: { version: 5, status: "pending", origin_version: 2 } });
    await succeed(aether);
    expect(aether.runtime.applied.at(-1)).toMatchObject({
      version: 5,
      digest: one.digest,
      config,
      replicas: 2,
      env: { COLOR: "red" },
    });
    expect(await variables(aether)).toEqual({ COLOR: "red" });
    expect((await aether.send("GET", `/deployments/${back.body.id}`)).body.status).toBe("running");
  });

  test("without a version it is the last that ran and is another release", async () => {
    await using aether = await createHarness({ open });
    const one = await run(aether, "one");
    const two = await run(aether, "two");
    await deploy(aether, "broken");
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    await aether.send("POST", "/apps/shop/restart", {});
    await succeed(aether); // v4 is v2 again
    expect((await rollback(aether)).body).toMatchObject({ version: 5, origin_version: 1 });
    await succeed(aether);
    expect(aether.runtime.applied.at(-1)?.digest).toBe(one.digest);
    expect((await rollback(aether)).body).toMatchObject({ version: 6, origin_version: 4 });
    await aether.rollouts.settle();
    expect(aether.runtime.applied.at(-1)?.digest).toBe(two.digest);
  });

  test("a release that waits for its verdict is what one rolls back from", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await deploy(aether, "stuck");
    expect((await rollback(aether)).body).toMatchObject({ version: 3, origin_version: 1 });
    expect((await releases(aether))[1]).toMatchObject({ version: 2, status: "superseded" });
  });

  test("what cannot be rolled back to is refused, with the reason", async () => {
    await using aether = await createHarness({ open });
    expect((await rollback(aether)).status).toBe(404);
    await run(aether, "one");
    expect((await rollback(aether)).body.message).toContain("nothing to return to");
    await deploy(aether, "broken");
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    const refused = async (body: unknown) => (await rollback(aether, body as object)).body;
    expect(await refused({ version: 1 })).toMatchObject({
      code: "conflict",
      message: 'v1 of "shop" is what runs now.',
    });
    expect(await refused({ version: 2 })).toMatchObject({
      code: "conflict",
      message: 'v2 of "shop" never ran (it is failed).',
    });
    expect(await refused({ version: 9 })).toMatchObject({ code: "not_found" });
    expect(await refused({ version: 0 })).toMatchObject({ code: "bad_request" });
    expect(await releases(aether)).toHaveLength(2);
    expect(await refused({ version: 2, force: true })).toMatchObject({ version: 3, origin_version: 2 });
  });

  test("an artifact that is gone is said to be gone", async () => {
    await using aether = await createHarness({ open });
    const one = await run(aether, "one");
    await run(aether, "two");
    await aether.control.db.update(artifacts).set({ status: "expired" }).where(eq(artifacts.digest, one.digest));
    const { status, body } = await rollback(aether, { version: 1 });
    expect([status, body.message]).toEqual([409, expect.stringContaining("retention removed it")]);
  });

  test.each(["rollback", "restart"])("a %s that is repeated under its key is made once", async (what) => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await run(aether, "two");
    const ask = (body = {}) => aether.send("POST", `/apps/shop/${what}`, body, { "idempotency-key": "k1" });
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.has("idempotency-replayed"))).toHaveLength(2);
    await succeed(aether);
    expect((await ask()).body).toEqual(answers[0].body);
    const other = await aether.send("POST", "/apps/shop/rollback", { version: 2 }, { "idempotency-key": "k1" });
    expect(other.body.code).toBe("idempotency_conflict");
    expect(await releases(aether)).toHaveLength(3);
  });

  test("an app is scaled without a release, and keeps its number over later ones", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const scaled = await aether.send("POST", "/apps/shop/scale", { replicas: 3 });
    expect(scaled).toMatchObject({ status: 200, body: { app: "shop", replicas: 3 } });
    await aether.rollouts.settle();
    expect(aether.runtime.scaled).toEqual([{ app: "shop", replicas: 3 }]);
    expect((await aether.send("GET", `/deployments/${scaled.body.deployment_id}`)).body.replicas).toHaveLength(3);
    await run(aether, "two");
    expect(aether.runtime.applied.at(-1)?.replicas).toBe(3);
    expect((await aether.send("GET", "/apps/shop")).body.replicas).toBe(3);
    await aether.send("POST", "/apps/shop/scale", { replicas: 0 });
    await aether.rollouts.settle();
    expect(aether.runtime.scaled.at(-1)).toEqual({ app: "shop", replicas: 0 });
    const { body } = await aether.send("GET", "/audit?action=app.scaled");
    expect(body.map(({ detail }: { detail: unknown }) => detail)).toEqual([
      { before: 3, after: 0 },
      { before: 1, after: 3 },
    ]);
    for (const replicas of [-1, 101, 1.5, "2", null])
      expect((await aether.send("POST", "/apps/shop/scale", { replicas })).status).toBe(400);
  });

  test("a scale that a runtime could not take is asked for again", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    aether.runtime.breakWith(new Error("the cluster is away"));
    expect((await aether.send("POST", "/apps/shop/scale", { replicas: 2 })).status).toBe(200);
    await aether.rollouts.settle();
    aether.runtime.breakWith(undefined);
    await aether.rollouts.reconcile();
    expect(aether.runtime.applied.at(-1)).toMatchObject({ version: 1, replicas: 2 });
  });

  test("a locked app is released by nobody until it is unlocked", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await run(aether, "one");
    await run(aether, "two");
    const lock = (reason: string) => aether.send("PUT", "/apps/shop/lock", { reason });
    expect((await lock("we migrate the database")).body.locked).toEqual({
      reason: "we migrate the database",
      by: "anonymous",
      at: "2026-01-01T00:00:00.000Z",
    });
    const refused = [
      await aether.send("POST", "/deployments", { app_name: "shop", digest }),
      await rollback(aether),
      await aether.send("POST", "/apps/shop/restart", {}),
      await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" } }),
      await lock("another reason"),
    ];
    for (const { status, body } of refused) {
      expect([status, body.code]).toEqual([409, "conflict"]);
      expect(body.message).toContain("locked by anonymous since 2026-01-01T00:00:00.000Z: we migrate the database");
      expect(body.hint).toContain("aether unlock shop");
    }
    expect(await variables(aether)).toEqual({});
    expect(await releases(aether)).toHaveLength(2);
    expect((await lock("we migrate the database")).status).toBe(200);
    expect((await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" }, deploy: false })).status).toBe(200);
    expect((await aether.send("POST", "/apps/shop/scale", { replicas: 2 })).status).toBe(200);
    expect((await aether.send("DELETE", "/apps/shop/lock")).body.locked).toBeNull();
    expect((await aether.send("DELETE", "/apps/shop/lock")).status).toBe(200);
    expect((await rollback(aether)).status).toBe(201);
    const { body } = await aether.send("GET", "/audit?app=shop");
    const told = body.map(({ action }: { action: string }) => action).filter((action: string) => /lock/.test(action));
    expect(told).toEqual(["app.unlocked", "app.locked"]);
  });

  test("a failure that asked for it takes the variables back, and has what runs applied again", async () => {
    await using aether = await createHarness({ open });
    const one = await run(aether, "one", { COLOR: "red" });
    const wish = { set: { COLOR: "blue", NEW: "1" }, rollback_on_failure: true };
    const { body } = await aether.send("PATCH", "/apps/shop/env", wish);
    await aether.send("PATCH", "/apps/shop/env", { set: { LATER: "1" }, deploy: false });
    await aether.rollouts.settle();
    const before = aether.runtime.applied.length;
    aether.runtime.fail("shop", {}, body.deployment.id);
    await aether.rollouts.settle();
    expect((await aether.send("GET", `/deployments/${body.deployment.id}`)).body.status).toBe("failed");
    expect(await variables(aether)).toEqual({ COLOR: "red", LATER: "1" });
    await aether.rollouts.reconcile();
    expect(aether.runtime.applied.slice(before)).toMatchObject([
      { version: 2, digest: one.digest, env: { COLOR: "red" }, established: true },
    ]);
  });

  test("a failure that did not ask leaves the variables for the next try", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one", { COLOR: "red" });
    await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "blue" } });
    await deploy(aether, "two");
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    expect(await variables(aether)).toEqual({ COLOR: "blue" });
  });

  test("a deploy may ask for the return as well", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one", { COLOR: "red" });
    await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "blue" }, deploy: false });
    await deploy(aether, "two", { rollback_on_failure: true });
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    expect(await variables(aether)).toEqual({ COLOR: "red" });
  });

  test("what a runtime pins is kept with the release and given back", async () => {
    await using aether = await createHarness({ open });
    const asked: unknown[] = [];
    aether.runtime.pins = async ({ version }, repeated) => {
      asked.push(repeated);
      return { agent: `agent-${version}` };
    };
    await run(aether, "one");
    await aether.send("POST", "/apps/shop/restart", {});
    await aether.rollouts.settle();
    expect(aether.runtime.applied.map(({ pins }) => pins)).toEqual([{ agent: "agent-1" }, { agent: "agent-2" }]);
    expect(asked).toEqual([undefined, { agent: "agent-1" }]);
  });

  test("what was made under a runtime that pins nothing is pinned once by the next, not at each start", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    let asked = 0;
    aether.runtime.pins = async () => ({ agent: `agent-${++asked}` });
    for (let start = 0; start < 2; start += 1) {
      const rollouts = await startRollouts(aether.control);
      await rollouts.reconcile();
      await rollouts.settle();
    }
    expect(aether.runtime.applied.map(({ pins }) => pins)).toEqual([
      undefined,
      { agent: "agent-1" },
      { agent: "agent-1" },
    ]);
  });
});
