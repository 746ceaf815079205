import { expect, test } from "bun:test";
import { and, eq } from "drizzle-orm";
import { auditEvents } from "../../src/db/schema.ts";
import { createHarness, digestOf, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

withDatabases("deployments", (open) => {
  test("a deployment is applied, and runs when the runtime says so", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const config = { start: "node server.js", port: 4000 };
    const created = await aether.send("POST", "/deployments", { app_name: "shop", digest: `sha256:${digest}`, config });
    expect(created).toMatchObject({ status: 201, body: { status: "pending", version: 1 } });
    await aether.rollouts.settle();
    expect(aether.runtime.applied).toMatchObject([
      { app: "shop", digest, version: 1, config, deploymentId: created.body.id },
    ]);
    expect(aether.runtime.applied[0]?.downloadUrl).toBe(`${aether.api}/artifacts/${digest}/download?app=shop`);
    aether.runtime.succeed("shop", created.body.id);
    await aether.rollouts.settle();
    expect((await aether.send("GET", `/deployments/${created.body.id}`)).body).toMatchObject({
      status: "running",
      digest,
      app: "shop",
    });
  });

  test("the newer one supersedes the one that ran, with audit rows", async () => {
    await using aether = await createHarness({ open });
    const ids: string[] = [];
    for (const text of ["one", "two"]) {
      const { digest } = await aether.store("shop", someBytes(text));
      const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
      ids.push(body.id);
      await aether.rollouts.settle();
      aether.runtime.succeed("shop", body.id);
      await aether.rollouts.settle();
    }
    const { body } = await aether.send("GET", "/apps/shop/deployments");
    expect(body.map(({ version, status }: { version: number; status: string }) => [version, status])).toEqual([
      [2, "running"],
      [1, "superseded"],
    ]);
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.subjectId, ids[0] ?? ""))
      .orderBy(auditEvents.id);
    expect(rows.map(({ before, after }) => [before, after])).toEqual([
      [null, "pending"],
      ["pending", "running"],
      ["running", "superseded"],
    ]);
    const [rollout] = await aether.control.db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.subjectId, ids[1] ?? ""), eq(auditEvents.after, "running")));
    const digests = body.map(({ digest }: { digest: string }) => digest);
    expect(rollout?.detail).toMatchObject({
      digest: digests[0],
      version: 2,
      replaced_digest: digests[1],
      replaced_version: 1,
    });
  });

  test("a failure is told with reason, message and log; what ran goes on running", async () => {
    await using aether = await createHarness({ open });
    const one = await aether.store("shop", someBytes("good"));
    const good = await aether.send("POST", "/deployments", { app_name: "shop", digest: one.digest });
    await aether.rollouts.settle();
    aether.runtime.succeed("shop", good.body.id);
    const two = await aether.store("shop", someBytes("bad"));
    const bad = await aether.send("POST", "/deployments", { app_name: "shop", digest: two.digest });
    await aether.rollouts.settle();
    const failure = { reason: "crash_loop" as const, message: "It exited with code 1.", log: ["boom"] };
    aether.runtime.fail("shop", failure, bad.body.id);
    await aether.rollouts.settle();
    expect((await aether.send("GET", `/deployments/${bad.body.id}/status`)).body).toMatchObject({
      status: "failed",
      failure_reason: "crash_loop",
      failure_message: "It exited with code 1.",
      failure_log: ["boom"],
    });
    expect((await aether.send("GET", `/deployments/${good.body.id}`)).body.status).toBe("running");
  });

  test("a verdict that comes late, or twice, changes nothing", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
    await aether.rollouts.settle();
    const failure = { reason: "exited" as const, message: "gone", log: [] };
    aether.runtime.fail("shop", failure, body.id);
    aether.runtime.succeed("shop", body.id);
    await aether.rollouts.settle();
    expect((await aether.send("GET", `/deployments/${body.id}`)).body.status).toBe("failed");
  });

  test("the same idempotency key gives the same deployment, and another digest under it a conflict", async () => {
    await using aether = await createHarness({ open });
    const one = await aether.store("shop", someBytes("one"));
    const two = await aether.store("shop", someBytes("two"));
    const create = (digest: string) =>
      aether.send("POST", "/deployments", { app_name: "shop", digest }, { "idempotency-key": "k1" });
    const answers = await Promise.all([create(one.digest), create(one.digest), create(one.digest)]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await create(two.digest)).toMatchObject({ status: 409, body: { code: "idempotency_conflict" } });
  });

  test("versions have no gaps and no doubles when many deploy at once", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => aether.send("POST", "/deployments", { app_name: "shop", digest })),
    );
    expect(answers.map(({ body }) => body.version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const { body } = await aether.send("GET", "/apps/shop/deployments");
    expect(body.filter(({ status }: { status: string }) => status === "pending")).toHaveLength(1);
  });
});

test("only stored artifacts of the same app can be deployed", async () => {
  await using aether = await createHarness();
  const { digest } = await aether.store("shop", someBytes("mine"));
  await aether.store("other", someBytes("theirs"));
  const deploy = (body: object) => aether.send("POST", "/deployments", body);
  expect(await deploy({ app_name: "other", digest })).toMatchObject({ status: 404, body: { code: "not_found" } });
  expect(await deploy({ app_name: "shop", digest: digestOf(someBytes("unknown")) })).toMatchObject({ status: 404 });
  expect(await deploy({ app_name: "ghost", digest })).toMatchObject({ status: 404 });
  expect(await deploy({ app_name: "shop" })).toMatchObject({ status: 400, body: { code: "missing_digest" } });
  expect(await deploy({ app_name: "shop", artifact_url: `artifacts/shop/${digest}/app.tar.gz` })).toMatchObject({
    status: 201,
  });
  expect(await deploy({ app_name: "shop", artifact_url: `${aether.api}/artifacts/${digest}/download` })).toMatchObject({
    status: 201,
  });
  for (const artifact_url of [
    `artifacts/other/${digest}/app.tar.gz`,
    "http://169.254.169.254/latest",
    "file:///etc/passwd",
    "x",
  ]) {
    expect(await deploy({ app_name: "shop", artifact_url })).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
  }
});

test.each(["-".repeat(36), "0".repeat(36), "x"])("what is no id names no deployment: %s", async (id) => {
  await using aether = await createHarness();
  for (const path of [`/deployments/${id}`, `/deployments/${id}/status`]) {
    expect(await aether.send("GET", path)).toMatchObject({ status: 404, body: { code: "not_found" } });
  }
});

test("a download is a redirect to a signed URL that gives the bytes", async () => {
  await using aether = await createHarness();
  const { digest } = await aether.store("shop", someBytes("the bytes"));
  const answer = await aether.send("GET", `/artifacts/${digest}/download?app=shop`);
  expect(answer.status).toBe(307);
  const bytes = await fetch(answer.headers.get("location") ?? "");
  expect(await bytes.text()).toBe("the bytes");
  expect((await aether.send("GET", `/artifacts/${digest}/download?app=other`)).status).toBe(404);
});

test("after a restart, what ran and what waited is applied again", async () => {
  await using aether = await createHarness();
  const { digest } = await aether.store("shop", someBytes("one"));
  const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
  await aether.rollouts.settle();
  aether.runtime.succeed("shop", body.id);
  await aether.rollouts.settle();
  const { startRollouts } = await import("../../src/control/rollouts.ts");
  aether.runtime.applied.length = 0;
  const restarted = await startRollouts(aether.control);
  await restarted.reconcile();
  expect(aether.runtime.applied).toMatchObject([{ deploymentId: body.id, digest }]);
  await restarted.reconcile();
  expect(aether.runtime.applied).toHaveLength(1);
});
