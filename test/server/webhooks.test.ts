import { expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { createDeliveries, retryDelaySeconds } from "../../src/control/webhook-deliveries.ts";
import { createWebhookSender } from "../../src/control/webhook-sender.ts";
import { webhookDeliveries, webhooks } from "../../src/db/schema.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { isGenuine, startReceiver } from "../harness/receiver.ts";
import { waitFor } from "../harness/wait-for.ts";

const secret = "a secret of sixteen or more";
type Aether = Awaited<ReturnType<typeof createHarness>>;

const register = (aether: Aether, url: string, more: object = {}) =>
  aether.send("POST", "/webhooks", { url, secret, events: ["*"], ...more });

/** What waits for its next attempt is due now. */
const makeDue = ({ control }: Aether) =>
  control.db.update(webhookDeliveries).set({ nextAttemptAt: sql`now() - interval '1 second'` });

withDatabases("webhooks", (open) => {
  test("an artifact that is stored is told to its receiver, signed", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver();
    const hook = await register(aether, receiver.url, { events: ["artifact.stored"] });
    expect(hook.status).toBe(201);
    const { digest } = await aether.store("shop", someBytes("one"));
    const [first] = await waitFor("it is told", () => receiver.received.length > 0 && receiver.received);
    expect(first?.event).toMatchObject({ type: "artifact.stored", app: "shop", after: "stored", detail: { digest } });
    const { headers = new Headers(), body = "" } = first ?? {};
    expect(headers.get("x-aether-event")).toBe("artifact.stored");
    expect(headers.get("content-type")).toBe("application/json");
    expect(isGenuine(body, headers.get("x-aether-signature"), secret)).toBe(true);
    expect(isGenuine(`${body} `, headers.get("x-aether-signature"), secret)).toBe(false);
    expect(isGenuine(body, headers.get("x-aether-signature"), "another secret")).toBe(false);
    const path = `/webhooks/${hook.body.id}/deliveries`;
    const [delivery] = await waitFor("it is written down", async () => {
      const { body } = await aether.send("GET", path);
      return body[0]?.status === "delivered" && body;
    });
    expect(delivery).toMatchObject({ id: headers.get("x-aether-delivery"), attempts: 1, last_status: 200 });
    expect(receiver.received).toHaveLength(1);
  });

  test("a secret is kept sealed and shown to nobody", async () => {
    await using aether = await createHarness({ open });
    const created = await register(aether, "https://hooks.example/x");
    const listed = await aether.send("GET", "/webhooks");
    const [row] = await aether.control.db.select().from(webhooks);
    for (const text of [created.body, listed.body, row, aether.lines])
      expect(JSON.stringify(text)).not.toContain(secret);
    expect(listed.body).toEqual([created.body]);
    expect(aether.control.secrets.open(row?.secret ?? "", `webhook ${row?.id}`)).toBe(secret);
    expect(() => aether.control.secrets.open(row?.secret ?? "", "webhook of another")).toThrow();
  });

  test("who made and removed a webhook is in the audit, without the secrets of its URL", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const wanted = { url: "https://hooks.example/services/T0/confidential", secret, events: ["*"] };
    const made = await aether.send("POST", "/webhooks", { ...wanted, app: "shop" }, { "x-request-id": "request-1" });
    await aether.send("DELETE", `/webhooks/${made.body.id}`, undefined, { "x-request-id": "request-2" });
    await aether.send("POST", "/webhooks", wanted);
    const { body } = await aether.send("GET", "/audit?limit=3");
    const detail = { receiver: "https://hooks.example", events: ["*"] };
    const of = { subject: { type: "webhook", id: made.body.id }, actor: "anonymous", app: "shop", detail };
    expect(body).toMatchObject([
      { action: "webhook.created", app: null },
      { ...of, action: "webhook.removed", before: "created", after: "removed", request_id: "request-2" },
      { ...of, action: "webhook.created", before: null, after: "created", request_id: "request-1" },
    ]);
    expect(JSON.stringify(body)).not.toContain("confidential");
    await aether.send("DELETE", `/webhooks/${made.body.id}`);
    expect((await aether.send("GET", "/audit?action=webhook.removed")).body).toHaveLength(1);
  });

  test("an app has no more webhooks than its share, however many are made at once, and takes none from others", async () => {
    await using aether = await createHarness({ open });
    for (const name of ["shop", "other"]) await aether.send("POST", "/apps", { name });
    const ofShop = { app: "shop" };
    const made = await Promise.all(Array.from({ length: 24 }, () => register(aether, "https://a.example/", ofShop)));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20);
    const refused = { status: 403, body: { code: "quota_exceeded", message: expect.stringContaining('"shop"') } };
    for (const answer of made.filter(({ status }) => status !== 201)) expect(answer).toMatchObject(refused);
    expect((await register(aether, "https://a.example/", { app: "other" })).status).toBe(201);
    const forAll = { url: "https://a.example/", secret: "sealed", events: ["*"], createdBy: "test" };
    await aether.control.db.insert(webhooks).values(Array.from({ length: 99 }, () => forAll));
    expect((await register(aether, "https://a.example/")).status).toBe(201);
    expect(await register(aether, "https://a.example/")).toMatchObject({
      status: 403,
      body: { code: "quota_exceeded" },
    });
    await aether.send("DELETE", `/webhooks/${made.find(({ status }) => status === 201)?.body.id}`);
    expect((await register(aether, "https://a.example/", ofShop)).status).toBe(201);
  });

  test("each receiver gets what it asked for, of the app it asked for", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver();
    await aether.send("POST", "/apps", { name: "shop" });
    const at = (path: string) => new URL(path, receiver.url).href;
    await register(aether, at("/shop"), { app: "shop" });
    await register(aether, at("/artifacts"), { events: ["artifact.*"] });
    await aether.store("other", someBytes("theirs"));
    await aether.store("shop", someBytes("ours"));
    await waitFor("three are told", () => receiver.received.length >= 3);
    expect(receiver.received.map(({ path, event }) => `${path} ${event.app} ${event.type}`).sort()).toEqual([
      "/artifacts other artifact.stored",
      "/artifacts shop artifact.stored",
      "/shop shop artifact.stored",
    ]);
  });

  test("what a receiver did not take is sent again, the same bytes under the same id, until it does", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({
      answer: (nth) =>
        nth === 1 ? new Response("no", { status: 500 }) : nth === 2 ? Response.redirect("/elsewhere") : new Response(),
    });
    const hook = await register(aether, receiver.url);
    await aether.send("POST", "/apps", { name: "shop" });
    const deliveries = async () => (await aether.send("GET", `/webhooks/${hook.body.id}/deliveries`)).body;
    for (const [attempts, error] of [
      [1, "answered 500"],
      [2, "answered 302, and redirects are not followed"],
    ] as const) {
      await waitFor(`attempt ${attempts}`, async () => (await deliveries())[0]?.last_error === error);
      expect(await deliveries()).toMatchObject([{ status: "pending", attempts }]);
      await makeDue(aether);
      await aether.deliveries.run();
    }
    await waitFor("it is taken", async () => (await deliveries())[0]?.status === "delivered");
    expect(receiver.received.map(({ path }) => path)).toEqual(["/hook", "/hook", "/hook"]);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(new Set(receiver.received.map(({ headers }) => headers.get("x-aether-delivery"))).size).toBe(1);
  });

  test("after a day it is given up", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({ answer: () => new Response("no", { status: 503 }) });
    const hook = await register(aether, receiver.url);
    await aether.send("POST", "/apps", { name: "shop" });
    await waitFor("it was tried", () => receiver.received.length === 1);
    const rows = () => aether.control.db.select().from(webhookDeliveries);
    await waitFor("that is written down", async () => (await rows())[0]?.lastStatus === 503);
    await aether.control.db.update(webhookDeliveries).set({ createdAt: sql`now() - interval '25 hours'` });
    await makeDue(aether);
    await aether.deliveries.run();
    await waitFor("it is given up", async () => (await rows())[0]?.status === "failed");
    await makeDue(aether);
    await aether.deliveries.run();
    expect(receiver.received).toHaveLength(2);
    const { body } = await aether.send("GET", `/webhooks/${hook.body.id}/deliveries`);
    expect(body).toMatchObject([{ status: "failed", attempts: 2, last_status: 503, next_attempt_at: null }]);
  });

  test("a receiver that never answers holds up nobody but itself", async () => {
    const hung = Promise.withResolvers<void>();
    await using aether = await createHarness({ open });
    await using dead = startReceiver({ answer: () => hung.promise.then(() => new Response()) });
    await using alive = startReceiver();
    await register(aether, dead.url);
    await register(aether, alive.url);
    for (let at = 0; at < 12; at += 1) await aether.send("POST", "/apps", { name: `app-${at}` });
    await waitFor("the other one has all", () => alive.received.length === 12);
    expect(dead.received).toHaveLength(4);
    hung.resolve();
    await waitFor("then it gets the rest", () => dead.received.length === 12);
    expect(dead.busiest()).toBe(4);
  });

  test("a removed webhook is sent nothing more", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({ answer: () => new Response("no", { status: 500 }) });
    const { body } = await register(aether, receiver.url);
    await aether.send("POST", "/apps", { name: "shop" });
    await waitFor("it was tried", () => receiver.received.length === 1);
    expect((await aether.send("DELETE", `/webhooks/${body.id}`)).status).toBe(204);
    await makeDue(aether);
    await aether.deliveries.run();
    expect(await aether.control.db.select().from(webhookDeliveries)).toEqual([]);
    expect((await aether.send("GET", "/webhooks")).body).toEqual([]);
    expect(await aether.send("DELETE", `/webhooks/${body.id}`)).toMatchObject({ status: 404 });
    expect(await aether.send("GET", "/webhooks/nonsense/deliveries")).toMatchObject({ status: 404 });
  });

  test("a delivery whose server died is taken over when its claim ends, and not before", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({ answer: (nth) => new Response("", { status: nth === 1 ? 500 : 200 }) });
    await register(aether, receiver.url);
    await aether.send("POST", "/apps", { name: "shop" });
    await waitFor("it was tried", () => receiver.received.length === 1);
    const { db } = aether.control;
    await waitFor(
      "that is written down",
      async () => (await db.select().from(webhookDeliveries))[0]?.lastStatus === 500,
    );
    const due = { nextAttemptAt: sql`now()` };
    await db.update(webhookDeliveries).set({ ...due, claimedUntil: sql`now() + interval '1 minute'` });
    await aether.deliveries.run();
    expect(receiver.received).toHaveLength(1);
    await db.update(webhookDeliveries).set({ ...due, claimedUntil: sql`now() - interval '1 second'` });
    await aether.deliveries.run();
    await waitFor("it is taken over", () => receiver.received.length === 2);
  });

  test("two servers on one database send each delivery once", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver();
    const { db, secrets, log } = aether.control;
    const send = createWebhookSender({ allowPrivate: true });
    const other = createDeliveries({ db, secrets, send, log });
    await register(aether, receiver.url);
    const names = Array.from({ length: 60 }, (_, at) => `app-${at}`);
    await Promise.all(
      names.map(async (name) => {
        await aether.send("POST", "/apps", { name });
        await Promise.all([other.run(), aether.deliveries.run()]);
      }),
    );
    const delivered = () => db.select().from(webhookDeliveries).where(eq(webhookDeliveries.status, "delivered"));
    await waitFor("all are written down", async () => (await delivered()).length === names.length);
    await other.close(0);
    const ids = receiver.received.map(({ headers }) => headers.get("x-aether-delivery"));
    expect(ids).toHaveLength(names.length);
    expect(new Set(ids).size).toBe(names.length);
    expect(receiver.received.map(({ event }) => event.app).sort()).toEqual(names.sort());
  });

  test("a server that stops lets another one send what it had begun", async () => {
    await using aether = await createHarness({ open });
    await using receiver = startReceiver({
      answer: (nth) => (nth === 1 ? new Promise<Response>(() => {}) : new Response()),
    });
    await register(aether, receiver.url);
    await aether.send("POST", "/apps", { name: "shop" });
    await waitFor("it was begun", () => receiver.received.length === 1);
    await aether.deliveries.close(0);
    const { db, secrets, log } = aether.control;
    const next = createDeliveries({ db, secrets, log, send: createWebhookSender({ allowPrivate: true }) });
    await next.run();
    await waitFor("it is sent", () => receiver.received.length === 2);
    await next.close(1_000);
    expect(await db.select().from(webhookDeliveries)).toMatchObject([{ status: "delivered", attempts: 1 }]);
  });
});

test.each([
  ["ftp://hooks.example/", "https://"],
  ["nonsense", "not a URL"],
  ["https://ada:pass@hooks.example/", "user"],
  ["http://169.254.169.254/latest/meta-data", "metadata"],
  ["http://[fe80::1]/", "link-local"],
  ["http://10.0.0.1/", "private"],
  ["http://2130706433/", "private"],
  ["http://[::ffff:127.0.0.1]/", "private"],
  ["http://0.0.0.0:8080/", "not the address of a host"],
])("a webhook to %s is refused", async (url, why) => {
  await using aether = await createHarness({ settings: { webhookAllowPrivate: false } });
  const answer = await register(aether, url);
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_request", message: expect.stringContaining(why) } });
  expect(answer.body.hint.includes("AETHER_WEBHOOK_ALLOW_PRIVATE=1")).toBe(why === "private");
});

test("what is no webhook is refused", async () => {
  await using aether = await createHarness();
  const url = "https://hooks.example/";
  for (const wrong of [{ secret: "short" }, { events: [] }, { events: ["artifact.eaten"] }, { events: ["ghost.*"] }]) {
    expect(await register(aether, url, wrong)).toMatchObject({ status: 400, body: { code: "bad_request" } });
  }
  expect(await register(aether, url, { app: "ghost" })).toMatchObject({ status: 404 });
  expect((await aether.send("GET", "/webhooks")).body).toEqual([]);
});

test("attempts go on for a day, ever further apart", () => {
  const delays = Array.from({ length: 12 }, (_, at) => retryDelaySeconds(at + 1, () => 0.5));
  expect(delays.slice(0, 4)).toEqual([2, 8, 32, 128]);
  expect(Math.max(...delays)).toBe(4 * 3600);
  expect(retryDelaySeconds(3, () => 0)).toBe(24);
  expect(retryDelaySeconds(3, () => 1)).toBe(40);
});
