import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { claimKey, purgeKeys } from "../../src/control/idempotency.ts";
import { idempotencyKeys } from "../../src/db/schema.ts";
import type { AetherError } from "../../src/lib/errors.ts";
import { idempotency } from "../../src/server/middleware/idempotency.ts";
import { createRouter } from "../../src/server/router.ts";
import { apiToken, createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { waitFor } from "../harness/wait-for.ts";

type Aether = Awaited<ReturnType<typeof createHarness>>;

const key = (value: string) => ({ "idempotency-key": value });
const createApp = (aether: Aether, name: string, headers: Record<string, string> = key("k1")) =>
  aether.send("POST", "/apps", { name }, headers);
const keys = ({ control }: Aether) => control.db.select().from(idempotencyKeys);

withDatabases("idempotency keys", (open) => {
  test("the same request under the same key is answered the same, and done once", async () => {
    await using aether = await createHarness({ open });
    const first = await createApp(aether, "shop");
    expect(first).toMatchObject({ status: 201, body: { name: "shop" } });
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    const again = await createApp(aether, "shop");
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("content-type")).toContain("application/json");
    expect(await createApp(aether, "shop", key("k2"))).toMatchObject({ status: 409, body: { code: "conflict" } });
  });

  test("another body or another route under the key is a conflict", async () => {
    await using aether = await createHarness({ open });
    await createApp(aether, "shop");
    const conflict = { status: 409, body: { code: "idempotency_conflict" } };
    expect(await createApp(aether, "other")).toMatchObject(conflict);
    const hook = { url: "https://hooks.example/", secret: "s".repeat(16), events: ["*"] };
    expect(await aether.send("POST", "/webhooks", hook, key("k1"))).toMatchObject(conflict);
    expect(await aether.send("GET", "/apps/other")).toMatchObject({ status: 404 });
  });

  test("of many at once one is carried out, and the others are given its answer", async () => {
    await using aether = await createHarness({ open });
    const answers = await Promise.all(Array.from({ length: 10 }, () => createApp(aether, "shop")));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("idempotency-replayed") === null)).toHaveLength(1);
  });

  test("completing an upload gives its first answer again, by the key in the body", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("keyed");
    const upload = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const { body } = await aether.send("POST", "/artifacts/presign", upload);
    await put(body, bytes);
    const complete = () => aether.send("POST", "/artifacts/complete", { ...upload, idempotency_key: "c1" });
    const first = await complete();
    expect(first.body).toMatchObject({ duplicate: false, status: "stored", idempotency_key: "c1" });
    expect((await complete()).body).toEqual(first.body);
    const other = { ...upload, digest: digestOf(someBytes("another")), idempotency_key: "c1" };
    expect(await aether.send("POST", "/artifacts/complete", other)).toMatchObject({
      status: 409,
      body: { code: "idempotency_conflict" },
    });
  });

  test("a deployment is answered as at first, whatever became of it, and made once", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const deploy = (more: object = {}) =>
      aether.send("POST", "/deployments", { app_name: "shop", digest, ...more }, key("d1"));
    const first = await deploy();
    await aether.rollouts.settle();
    aether.runtime.succeed("shop", first.body.id);
    await aether.rollouts.settle();
    const again = await deploy();
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await deploy({ replicas: 2 })).toMatchObject({ status: 409, body: { code: "idempotency_conflict" } });
    expect((await aether.send("GET", "/apps/shop/deployments")).body).toHaveLength(1);
  });

  test("a refusal is kept too; what is refused to one is not kept for when it is allowed", async () => {
    const [admin, reader] = ["admin-token-0123456789", "reader-token-0123456789"];
    const tokens = [apiToken(admin, "admin"), apiToken(reader, "reader")];
    await using aether = await createHarness({ open, tokens });
    const as = (token: string) => ({ authorization: `Bearer ${token}`, ...key("k1") });
    expect(await createApp(aether, "shop", as(reader))).toMatchObject({ status: 403 });
    expect(await createApp(aether, "Not A Name", as(admin))).toMatchObject({ status: 400 });
    expect((await createApp(aether, "Not A Name", as(admin))).headers.get("idempotency-replayed")).toBe("true");
    expect(await keys(aether)).toHaveLength(1);
  });

  test("one caller's key says nothing to another", async () => {
    const [one, two] = ["one-token-0123456789abc", "two-token-0123456789abc"];
    const tokens = [one, two].map((token, at) => ({ ...apiToken(token, "admin"), name: `caller-${at}` }));
    await using aether = await createHarness({ open, tokens });
    const as = (token: string) => ({ authorization: `Bearer ${token}`, ...key("k1") });
    expect((await createApp(aether, "shop", as(one))).status).toBe(201);
    expect(await createApp(aether, "shop", as(two))).toMatchObject({ status: 409, body: { code: "conflict" } });
    expect((await createApp(aether, "store", as(two))).status).toBe(201);
  });

  test("an answer of 5xx is not kept: the same key does it anew", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("later");
    const upload = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const { presignPut } = aether.control.storage;
    aether.control.storage.presignPut = () => Promise.reject(new Error("the store is away"));
    const presign = () => aether.send("POST", "/artifacts/presign", upload, key("p1"));
    expect(await presign()).toMatchObject({ status: 500, body: { code: "internal" } });
    expect(await keys(aether)).toEqual([]);
    aether.control.storage.presignPut = presignPut;
    expect(await presign()).toMatchObject({ status: 200, body: { method: "PUT" } });
    expect((await presign()).headers.get("idempotency-replayed")).toBe("true");
  });

  test("a request that is under way is waited for", async () => {
    await using aether = await createHarness({ open });
    const gate = Promise.withResolvers<void>();
    const { presignPut } = aether.control.storage;
    aether.control.storage.presignPut = (request) => gate.promise.then(() => presignPut(request));
    const upload = { app_name: "shop", digest: digestOf(someBytes("slow")), size_bytes: 4 };
    const presign = () => aether.send("POST", "/artifacts/presign", upload, key("p1"));
    const first = presign();
    await waitFor("it is under way", async () => (await keys(aether)).length === 1);
    const second = presign();
    gate.resolve();
    expect((await second).body).toEqual((await first).body);
    expect((await second).headers.get("idempotency-replayed")).toBe("true");
  });

  test("the key of a server that died is taken over when its claim ends, for the same request only", async () => {
    await using aether = await createHarness({ open });
    const { control } = aether;
    const dead = {
      scope: "anonymous",
      key: "k1",
      route: "POST /apps",
      bodyHash: digestOf(someBytes('{"name":"shop"}')),
    };
    const claimed = await claimKey(control, dead);
    expect(claimed).toMatchObject({ claim: { key: "k1" } });
    expect(await claimKey(control, dead)).toBe("under way");
    await control.db.update(idempotencyKeys).set({ claimedUntil: sql`now() - interval '1 second'` });
    expect(await createApp(aether, "other")).toMatchObject({ status: 409, body: { code: "idempotency_conflict" } });
    expect((await createApp(aether, "shop")).status).toBe(201);
    expect((await createApp(aether, "shop")).headers.get("idempotency-replayed")).toBe("true");
  });

  test("kept answers are sealed, and forgotten after a day", async () => {
    await using aether = await createHarness({ open });
    const { body } = await createApp(aether, "shop");
    expect(JSON.stringify(await keys(aether))).not.toContain(body.id);
    expect(await purgeKeys(aether.control)).toBe(0);
    const expire = () => aether.control.db.update(idempotencyKeys).set({ expiresAt: sql`now() - interval '1 second'` });
    await expire();
    expect((await createApp(aether, "another")).status).toBe(201); // though it is not purged yet
    await expire();
    expect(await purgeKeys(aether.control)).toBe(1);
  });
});

withDatabases("keys of deployments", (open) => {
  test("what is no key is refused, and an empty header is none", async () => {
    await using aether = await createHarness({ open });
    const { digest } = await aether.store("shop", someBytes("one"));
    const deploy = (value: string) => aether.send("POST", "/deployments", { app_name: "shop", digest }, key(value));
    const incompressible = Array.from({ length: 48 }, (_, at) => digestOf(someBytes(String(at)))).join("");
    for (const wrong of [incompressible, "k".repeat(256), "two words"]) {
      expect(await deploy(wrong)).toMatchObject({ status: 400, body: { code: "bad_request" } });
    }
    expect([(await deploy("")).body, (await deploy("")).body]).toMatchObject([{ version: 1 }, { version: 2 }]);
    expect((await createApp(aether, "other", key(""))).status).toBe(201);
    expect((await createApp(aether, "another", key(""))).status).toBe(201);
  });
});

test("what is no key is refused", async () => {
  await using aether = await createHarness();
  for (const wrong of ["k".repeat(256), "two words"]) {
    expect(await createApp(aether, "shop", key(wrong))).toMatchObject({ status: 400, body: { code: "bad_request" } });
  }
  expect(await aether.send("POST", "/apps", { name: "shop", idempotency_key: 7 })).toMatchObject({ status: 400 });
  expect(await aether.send("POST", "/apps", "not json", key("k1"))).toMatchObject({ status: 400 });
});

test("who asks while the first request goes on for long is told when to ask again", async () => {
  await using aether = await createHarness();
  const { control } = aether;
  const app = createRouter();
  app.use(
    async (c, next) => {
      c.set("control", control);
      c.set("caller", { id: "ada", name: "ada", role: "admin", apps: undefined });
      c.set("stopping", new AbortController().signal);
      await next();
    },
    idempotency({ waitMs: 0 }),
  );
  const gate = Promise.withResolvers<void>();
  app.post("/slow", (c) => gate.promise.then(() => c.json({ done: true })));
  app.onError((error, c) => c.json({ error: String(error) }, (error as AetherError).status as 409));
  const ask = () => app.request("/slow", { method: "POST", body: "{}", headers: key("s1") });
  const first = ask();
  await waitFor("it is under way", async () => (await keys(aether)).length === 1);
  const second = await ask();
  expect([second.status, second.headers.get("retry-after")]).toEqual([409, "1"]);
  gate.resolve();
  expect(await (await first).json()).toEqual({ done: true });
});
