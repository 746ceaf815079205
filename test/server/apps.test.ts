import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { finishRemovals } from "../../src/control/app-removal.ts";
import { startRollouts } from "../../src/control/rollouts.ts";
import { apps, artifacts, auditEvents, deployments, publicKeys } from "../../src/db/schema.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { apiToken, createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { failureOf } from "../harness/failure-of.ts";
import { createSigner } from "../harness/signing.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

/** An app with all that an app can have: it runs, a key, an upload in one piece and one in parts. */
async function busyApp(aether: Harness, app = "shop") {
  const { digest } = await aether.store(app, someBytes(`${app} runs`));
  await aether.send("POST", "/deployments", { app_name: app, digest });
  await aether.rollouts.settle();
  aether.runtime.succeed(app);
  await aether.rollouts.settle();
  await aether.send("POST", `/apps/${app}/public-keys`, { public_key_hex: createSigner().publicKey });
  const whole = someBytes(`${app} pending`);
  const pending = { app_name: app, digest: digestOf(whole), size_bytes: whole.length };
  await put((await aether.send("POST", "/artifacts/presign", pending)).body, whole);
  const parts = someBytes(`${app} in parts`);
  const request = { app_name: app, digest: digestOf(parts), size_bytes: parts.length };
  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
  const part = { app_name: app, digest: request.digest, upload_id: upload.upload_id, part_number: 1 };
  const { body: signed } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
  await put({ upload_url: signed.url, headers: signed.headers }, parts);
  return { digest, upload: [upload.storage_key, upload.upload_id] as const };
}

const actionsOf = async (aether: Harness, appId: string) =>
  (await aether.control.db.select().from(auditEvents).where(eq(auditEvents.appId, appId)).orderBy(auditEvents.id)).map(
    ({ action }) => action,
  );

withDatabases("apps", (open) => {
  test("an app's own quotas and retention are set, and cleared with null; the audit has both", async () => {
    await using aether = await createHarness({ open });
    const { body: app } = await aether.send("POST", "/apps", { name: "shop" });
    const set = await aether.send("PATCH", "/apps/shop", { max_artifacts: 3, max_total_bytes: 2 ** 40 });
    expect(set).toMatchObject({
      status: 200,
      body: { max_artifacts: 3, max_total_bytes: 2 ** 40, retain_latest: null },
    });
    await aether.send("PATCH", "/apps/shop", { max_artifacts: null, retain_latest: 5, retain_max_age_secs: 60 });
    expect((await aether.send("GET", "/apps/shop")).body).toMatchObject({
      max_artifacts: null,
      max_total_bytes: 2 ** 40,
      retain_latest: 5,
      retain_max_age_secs: 60,
    });
    await aether.send("PATCH", "/apps/shop", { retain_latest: 5 });
    expect(await actionsOf(aether, app.id)).toEqual(["app.created", "app.updated", "app.updated"]);
    const [last] = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.action, "app.updated"))
      .orderBy(auditEvents.id);
    expect(last?.detail).toMatchObject({ before: { maxArtifacts: null }, after: { maxArtifacts: 3 } });
  });

  test.each([
    [{ max_artifacts: -1 }],
    [{ retain_latest: 0 }],
    [{ max_artifacts: 1.5 }],
    [{ max_artifacts: 2 ** 31 }],
    [{ max_total_bytes: 2 ** 60 }],
    [{ retain_max_age_secs: 3_000_000_001 }],
    [{ max_artefacts: 3 }],
    [{ name: "other" }],
  ])("PATCH with %j is bad_request", async (body) => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    expect(await aether.send("PATCH", "/apps/shop", body)).toMatchObject({
      status: 400,
      body: { code: "bad_request" },
    });
  });

  test("a deployer may not lift its app's quota", async () => {
    const tokens = [apiToken("admin-token", "admin"), apiToken("deployer-token", "deployer")];
    await using aether = await createHarness({ open, tokens });
    await aether.send("POST", "/apps", { name: "shop" }, { authorization: "Bearer admin-token" });
    const change = (token: string) =>
      aether.send("PATCH", "/apps/shop", { max_artifacts: 9 }, { authorization: `Bearer ${token}` });
    expect(await change("deployer-token")).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await change("admin-token")).status).toBe(200);
  });

  test("a removed app leaves nothing but its audit, and its name can be used again", async () => {
    await using aether = await createHarness({ open });
    const { upload } = await busyApp(aether);
    expect(await aether.storage.listParts(...upload)).toHaveLength(1);
    const other = await busyApp(aether, "other");
    const { body: app } = await aether.send("GET", "/apps/shop");
    expect((await aether.send("DELETE", "/apps/shop")).status).toBe(204);
    for (const path of ["/apps/shop", "/apps/shop/deployments", "/apps/shop/releases", "/apps/shop/public-keys"])
      expect((await aether.send("GET", path)).status).toBe(404);
    expect((await aether.send("DELETE", "/apps/shop")).status).toBe(404);
    expect(aether.runtime.removed).toEqual(["shop"]);
    expect(await Array.fromAsync(aether.storage.list("artifacts/shop/"))).toEqual([]);
    expect(await failureOf(aether.storage.listParts(...upload))).toMatchObject({ code: "not_found" });
    for (const table of [artifacts, deployments, publicKeys])
      expect(await aether.control.db.select().from(table).where(eq(table.appId, app.id))).toEqual([]);
    expect((await actionsOf(aether, app.id)).slice(-2)).toEqual(["app.deleting", "app.deleted"]);
    const { body: lines } = await aether.send("GET", "/audit?app=shop");
    expect(lines[0]).toMatchObject({ action: "app.deleted", app: "shop" });
    expect((await aether.send("HEAD", `/artifacts/${other.digest}?app=other`)).status).toBe(200);
    expect(await Array.fromAsync(aether.storage.list("artifacts/other/"))).toHaveLength(2);

    const { digest } = await busyApp(aether);
    const { body } = await aether.send("GET", "/apps/shop/releases");
    expect(body).toMatchObject([{ digest, version: 1, status: "running" }]);
  });

  test("a removal that was cut off refuses writes, is not applied, and is finished by whoever comes next", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await busyApp(aether);
    const { storage } = aether.control;
    aether.control.storage = {
      ...storage,
      remove: () => Promise.reject(new AetherError("service_unavailable", "The storage is away.")),
    };
    expect((await aether.send("DELETE", "/apps/shop")).status).toBe(503);
    aether.control.storage = storage;
    const { publicKey } = createSigner();
    for (const [method, path, body] of [
      ["POST", "/artifacts/presign", { app_name: "shop", digest: digestOf(someBytes("late")), size_bytes: 4 }],
      ["POST", "/artifacts/multipart/init", { app_name: "shop", digest: digestOf(someBytes("late")), size_bytes: 4 }],
      ["POST", "/deployments", { app_name: "shop", digest }],
      ["POST", "/apps/shop/public-keys", { public_key_hex: publicKey }],
      ["PATCH", "/apps/shop", { max_artifacts: 1 }],
    ] as const)
      expect([path, (await aether.send(method, path, body)).body.code]).toEqual([path, "conflict"]);
    const appliedBefore = aether.runtime.applied.length;
    await aether.rollouts.reconcile();
    await (await startRollouts(aether.control)).reconcile(); // as after a restart
    expect(aether.runtime.applied).toHaveLength(appliedBefore);

    expect(await finishRemovals(aether.control, aether.rollouts)).toBe(1);
    expect(await finishRemovals(aether.control, aether.rollouts)).toBe(0);
    expect((await aether.send("GET", "/apps/shop")).status).toBe(404);
    expect(await aether.control.db.select().from(apps)).toEqual([]);
  });

  test("two servers that finish the same removal do it once", async () => {
    await using aether = await createHarness({ open });
    await busyApp(aether);
    const { body: app } = await aether.send("GET", "/apps/shop");
    const removals = await Promise.all([1, 2, 3].map(() => aether.send("DELETE", "/apps/shop")));
    expect(removals.map(({ status }) => status).filter((status) => status !== 204 && status !== 404)).toEqual([]);
    const actions = await actionsOf(aether, app.id);
    expect(actions.filter((action) => action === "app.deleted")).toHaveLength(1);
  });
});

test("a list says which deployment of each app is the newest", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "empty" });
  const { digest } = await aether.store("shop", someBytes("one"));
  await aether.send("POST", "/deployments", { app_name: "shop", digest });
  const second = await aether.send("POST", "/deployments", { app_name: "shop", digest });
  const { body } = await aether.send("GET", "/apps");
  expect(body).toMatchObject([
    { name: "empty", deployment: null },
    { name: "shop", deployment: { id: second.body.id, version: 2, digest } },
  ]);
});

test("an upload that names its app by id does not create it again, nor goes to another of its name", async () => {
  await using aether = await createHarness();
  const bytes = someBytes("sent twice");
  const wanted = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const { body: first } = await aether.send("POST", "/artifacts/presign", wanted);
  const again = { ...wanted, app_id: first.app_id };
  for (const path of ["/artifacts/presign", "/artifacts/multipart/init"]) {
    expect(await aether.send("POST", path, again)).toMatchObject({ status: 200, body: { app_id: first.app_id } });
  }
  const deleted = { status: 404, body: { code: "not_found", message: 'The app "shop" was deleted meanwhile.' } };
  await aether.send("DELETE", "/apps/shop");
  for (const path of ["/artifacts/presign", "/artifacts/multipart/init"]) {
    expect(await aether.send("POST", path, again)).toMatchObject(deleted);
  }
  expect((await aether.send("GET", "/apps")).body).toEqual([]);
  await aether.send("POST", "/apps", { name: "shop" });
  expect(await aether.send("POST", "/artifacts/presign", again)).toMatchObject(deleted);
});
