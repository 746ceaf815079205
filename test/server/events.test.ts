import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { streamSSE } from "hono/streaming";
import type { Control } from "../../src/control/control.ts";
import { createEventFeed, type EventFeed, type EventListener } from "../../src/control/event-feed.ts";
import type { EventView } from "../../src/core/events.ts";
import type { Db } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import { auditEvents } from "../../src/db/schema.ts";
import type { AetherError } from "../../src/lib/errors.ts";
import type { Caller } from "../../src/server/context.ts";
import { createRouter } from "../../src/server/router.ts";
import { auditRoutes } from "../../src/server/routes/audit.ts";
import { eventRoutes, tell } from "../../src/server/routes/events.ts";
import { webhookRoutes } from "../../src/server/routes/webhooks.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { openTestDatabase, withDatabases } from "../harness/database.ts";
import { type EventStream, openEvents } from "../harness/event-stream.ts";
import { createPostgresDatabase, postgresTier } from "../harness/postgres.ts";
import { waitFor } from "../harness/wait-for.ts";

const noLog = { debug() {}, info() {}, warn() {}, error() {}, with: () => noLog };

async function take(stream: EventStream, count: number): Promise<EventView[]> {
  const events: EventView[] = [];
  while (events.length < count) {
    const event = await stream.next();
    if (event === undefined) break;
    events.push(event);
  }
  return events;
}

const typesOf = (events: EventView[]) => events.map(({ type }) => type);

/** A line of the audit as any transition writes it. */
const line = (subjectId: string) => ({
  actor: "test",
  action: "app.created",
  subjectType: "app",
  subjectId,
  after: "created",
});

async function insertLines(db: Db, names: string[]): Promise<void> {
  for (let at = 0; at < names.length; at += 500)
    await db.insert(auditEvents).values(names.slice(at, at + 500).map(line));
}

withDatabases("events", (open) => {
  test("a deploy is told as it happens, in order, with who and what", async () => {
    await using aether = await createHarness({ open });
    await using stream = await openEvents(`${aether.api}/events`);
    const { digest } = await aether.store("shop", someBytes("one"));
    const deploy = { app_name: "shop", digest };
    const { body } = await aether.send("POST", "/deployments", deploy, { "x-request-id": "request-7" });
    await aether.rollouts.settle();
    aether.runtime.succeed("shop", body.id);
    const events = await take(stream, 4);
    expect(typesOf(events)).toEqual(["app.created", "artifact.stored", "deployment.pending", "deployment.running"]);
    expect(events[2]).toEqual({
      id: expect.any(Number),
      type: "deployment.pending",
      at: "2026-01-01T00:00:00.000Z",
      app: "shop",
      subject: { type: "deployment", id: body.id },
      before: null,
      after: "pending",
      actor: "anonymous",
      request_id: "request-7",
      detail: { digest, version: 1 },
    });
    expect(stream.asides).toContain("retry: 2000");
  });

  test("who comes back gets what was missed, once, and who comes first gets only what is new", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "before" });
    const first = await openEvents(`${aether.api}/events`);
    await aether.send("POST", "/apps", { name: "one" });
    const [seen] = await take(first, 1);
    expect(seen?.app).toBe("one");
    await first[Symbol.asyncDispose]();
    for (const name of ["two", "three"]) await aether.send("POST", "/apps", { name });
    await using again = await openEvents(`${aether.api}/events`, { "last-event-id": String(seen?.id) });
    await aether.send("POST", "/apps", { name: "four" });
    expect((await take(again, 3)).map(({ app }) => app)).toEqual(["two", "three", "four"]);
    await using all = await openEvents(`${aether.api}/events`, { "last-event-id": "0" });
    expect((await take(all, 5)).map(({ app }) => app)).toEqual(["before", "one", "two", "three", "four"]);
  });

  test("one app's events can be asked for", async () => {
    await using aether = await createHarness({ open });
    await using stream = await openEvents(`${aether.api}/events?app=shop`, { "last-event-id": "0" });
    for (const name of ["other", "shop"]) await aether.send("POST", "/apps", { name });
    await aether.store("other", someBytes("theirs"));
    await aether.store("shop", someBytes("ours"));
    expect((await take(stream, 2)).map(({ app, type }) => [app, type])).toEqual([
      ["shop", "app.created"],
      ["shop", "artifact.stored"],
    ]);
  });

  test("a stream ends when the server stops, and what is no place is refused", async () => {
    await using aether = await createHarness({ open });
    await using stream = await openEvents(`${aether.api}/events`);
    aether.stop();
    expect(await stream.next()).toBeUndefined();
    const answer = await aether.send("GET", "/events", undefined, { "last-event-id": "newest" });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  test("sixty listeners cost no more reading than one", async () => {
    await using database = await open();
    const reads = countReads(database.db);
    await using feed = disposable(createEventFeed({ db: reads.db, log: noLog }));
    const listeners = await Promise.all(Array.from({ length: 60 }, () => feed.listen()));
    await feed.advance();
    reads.reset();
    await insertLines(database.db, ["a", "b", "c"]);
    await feed.advance();
    const signal = new AbortController().signal;
    const got = await Promise.all(listeners.map((listener) => listener.next(1_000, signal)));
    expect(got.map((events) => events.length)).toEqual(listeners.map(() => 3));
    expect(reads.count()).toBeLessThan(6);
  });

  test("a listener that waits in vain leaves nothing in memory", async () => {
    await using database = await open();
    await using feed = disposable(createEventFeed({ db: database.db, log: noLog }));
    const listener = await feed.listen();
    const signal = new AbortController().signal;
    const promises = () => {
      Bun.gc(true);
      return heapStats().objectTypeCounts.Promise ?? 0;
    };
    const before = promises();
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 500 }, () => listener.next(1, signal)));
    expect(promises() - before).toBeLessThan(2_500);
  });

  test("a listener that fell far behind reads on from the database, without a gap or a double", async () => {
    await using database = await open();
    await using feed = disposable(createEventFeed({ db: database.db, log: noLog }));
    const slow = await feed.listen();
    const names = Array.from({ length: 4_500 }, (_, at) => `app-${at}`);
    await insertLines(database.db, names);
    await feed.advance();
    const ids: number[] = [];
    const signal = new AbortController().signal;
    while (ids.length < names.length) {
      const events = await slow.next(1_000, signal);
      if (events.length === 0) break;
      expect(events.length).toBeLessThanOrEqual(200);
      ids.push(...events.map(({ id }) => id));
    }
    expect(ids).toEqual(names.map((_, at) => at + 1));
    expect(await slow.next(0, signal)).toEqual([]);
  });
});

test("a token for some apps hears, sees and is told of these only", async () => {
  await using aether = await createHarness();
  for (const name of ["mine", "theirs"]) await aether.send("POST", "/apps", { name });
  const hook = { url: "https://hooks.example/", secret: "s".repeat(16), events: ["*"] };
  for (const app of ["mine", "theirs", undefined]) await aether.send("POST", "/webhooks", { ...hook, app });
  const { body } = await aether.send("GET", "/webhooks");
  const foreign = body.find(({ app }: { app: string }) => app === "theirs").id;
  const app = asCaller(aether.control, { id: "t", name: "t", role: "deployer", apps: ["mine"] });
  const ask = async (path: string): Promise<{ app: string }[]> => (await app.request(path)).json() as never;

  const stream = await app.request("/events", { headers: { "last-event-id": "0" } });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  while (!heard.includes("app.created")) heard += (await reader?.read())?.value ?? "";
  await aether.send("POST", "/apps", { name: "theirs-2" });
  await aether.store("mine", someBytes("mine"));
  while (!heard.includes("artifact.stored")) heard += (await reader?.read())?.value ?? "";
  expect(heard).not.toContain("theirs");
  await reader?.cancel();

  expect((await ask("/audit")).map((line) => line.app)).toEqual(["mine", "mine", "mine", "mine", "mine"]);
  expect((await ask("/webhooks")).map((webhook) => webhook.app)).toEqual(["mine"]);
  const post = (body: object) =>
    app.request("/webhooks", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
  const statuses = await Promise.all([
    app.request("/events?app=theirs"),
    app.request("/audit?app=theirs"),
    app.request(`/webhooks/${foreign}/deliveries`),
    app.request(`/webhooks/${foreign}`, { method: "DELETE" }),
    post({ ...hook, app: "theirs" }),
    post(hook),
    post({ ...hook, app: "mine" }),
  ]);
  expect(statuses.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 403, 201]);
});

test("who wants nothing of what happens is still sent a comment from time to time", async () => {
  await using aether = await createHarness();
  const listener = await aether.control.events.listen();
  const stopped = new AbortController();
  const { signal } = stopped;
  const router = createRouter();
  router.get("/", (c) =>
    streamSSE(c, (stream) => tell(stream, { listener, wanted: () => false, signal, heartbeatMs: 500 })),
  );
  const stream = await router.request("/");
  let heard = "";
  const reading = (async () => {
    for await (const text of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += text;
  })();
  let at = 0;
  await waitFor("a comment comes while others' events do", async () => {
    await insertLines(aether.control.db, [`app-${at++}`]);
    await aether.control.events.advance();
    return heard.includes(": nothing happened");
  });
  expect(heard).not.toContain("event:");
  stopped.abort();
  await reading;
  listener.close();
});

test("one token cannot take the places of all who listen", async () => {
  await using database = await openTestDatabase();
  await using feed = disposable(createEventFeed({ db: database.db, log: noLog }));
  const listen = (count: number, by: string) =>
    Promise.all(Array.from({ length: count }, () => feed.listen(undefined, by)));
  const [first] = await listen(100, "greedy");
  await expect(feed.listen(undefined, "greedy")).rejects.toMatchObject({ code: "rate_limited" });
  for (let at = 1; at < 10; at += 1) await listen(100, `token-${at}`);
  await expect(feed.listen(undefined, "another")).rejects.toMatchObject({ code: "service_unavailable" });
  first?.close();
  first?.close();
  expect(feed.listeners()).toBe(999);
  await feed.listen(undefined, "greedy");
  expect(feed.listeners()).toBe(1_000);
});

test("who listens too often is told so, and others are not", async () => {
  await using aether = await createHarness();
  const callers = ["greedy", "modest"].map((id) =>
    asCaller(aether.control, { id, name: "same", role: "reader", apps: undefined }),
  );
  const [greedy, modest] = callers;
  const open = Array.from({ length: 100 }, () => greedy?.request("/events"));
  expect(new Set((await Promise.all(open)).map((response) => response?.status))).toEqual(new Set([200]));
  expect((await greedy?.request("/events"))?.status).toBe(429);
  expect((await modest?.request("/events"))?.status).toBe(200);
});

test("a stream ends with the feed, and does not ask it over and over", async () => {
  await using aether = await createHarness();
  const listener = await aether.control.events.listen();
  const { signal } = new AbortController();
  const router = createRouter();
  router.get("/", (c) =>
    streamSSE(c, (stream) => tell(stream, { listener, wanted: () => true, signal, heartbeatMs: 60_000 })),
  );
  const text = (await router.request("/")).text();
  await aether.control.events.close();
  expect(await text).toBe("retry: 2000\n\n");
});

test("who does not read is not written to without end", async () => {
  await using aether = await createHarness();
  const taken = countTaken(aether.control.events);
  aether.control.events = taken.feed;
  const { hostname, port } = new URL(aether.api);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((connected) => socket.once("connect", connected));
  socket.pause();
  socket.write(`GET /events HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`);
  await waitFor("it listens", () => taken.feed.listeners() === 1);
  const detail = { padding: "x".repeat(20_000) };
  const lines = Array.from({ length: 2_000 }, (_, at) => ({ ...line(`app-${at}`), detail }));
  for (let at = 0; at < lines.length; at += 100) {
    await aether.control.db.insert(auditEvents).values(lines.slice(at, at + 100));
    await aether.control.events.advance();
  }
  await waitFor("something was taken", () => taken.count() > 0);
  expect(taken.count()).toBeLessThan(1_000); // what the kernel and one page hold, of 40 MB
  socket.destroy();
  await waitFor("it is forgotten", () => taken.feed.listeners() === 0);
});

test.skipIf(!postgresTier().available)(
  "a change that becomes visible late is told after those that overtook it",
  async () => {
    await using database = await createPostgresDatabase();
    await migrate(database.db);
    await using feed = disposable(createEventFeed({ db: database.db, log: noLog }));
    const listener = await feed.listen();
    const commit = Promise.withResolvers<void>();
    const inserted = Promise.withResolvers<void>();
    const late = database.db.transaction(async (tx) => {
      await tx.insert(auditEvents).values(line("late"));
      inserted.resolve();
      await commit.promise;
    });
    await inserted.promise;
    await insertLines(database.db, ["early"]);
    await feed.advance();
    const signal = new AbortController().signal;
    const subjects = (events: EventView[]) => events.map(({ subject }) => subject.id);
    expect(subjects(await listener.next(1_000, signal))).toEqual(["early"]);
    commit.resolve();
    await late;
    await feed.advance();
    expect(subjects(await listener.next(1_000, signal))).toEqual(["late"]);
  },
);

test.skipIf(!postgresTier().available)("two servers on one database tell each event once, in one order", async () => {
  await using database = await createPostgresDatabase();
  await migrate(database.db);
  await using one = disposable(createEventFeed({ db: database.db, log: noLog }));
  await using two = disposable(createEventFeed({ db: database.db, log: noLog }));
  const listeners = await Promise.all([one.listen(), two.listen()]);
  const writing = Array.from({ length: 20 }, async (_, writer) => {
    for (let at = 0; at < 10; at += 1) {
      await insertLines(database.db, [`${writer}-${at}`]);
      (writer % 2 === 0 ? one : two).nudge();
    }
  });
  const signal = new AbortController().signal;
  const reading = listeners.map(async (listener, at) => {
    const events: EventView[] = [];
    while (events.length < 200) {
      await [one, two][at]?.advance();
      events.push(...(await listener.next(20, signal)));
    }
    return events;
  });
  await Promise.all(writing);
  const [first = [], second = []] = await Promise.all(reading);
  expect(first.map(({ id }) => id)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
  expect(second).toEqual(first);
  expect(new Set(first.map(({ subject }) => subject.id)).size).toBe(200);
});

function disposable<T extends { close(): Promise<void> }>(feed: T): T & AsyncDisposable {
  return { ...feed, [Symbol.asyncDispose]: () => feed.close() };
}

/** The database, counting the queries that read it. */
function countReads(db: Db) {
  let reads = 0;
  const counting = new Proxy(db, {
    get(target, name) {
      if (name === "select") reads += 1;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const reset = () => {
    reads = 0;
  };
  return { db: counting, count: () => reads, reset };
}

/** The feed, counting the events that its listeners took. */
function countTaken(feed: EventFeed) {
  let taken = 0;
  async function listen(after?: number, by?: string): Promise<EventListener> {
    const listener = await feed.listen(after, by);
    return {
      ...listener,
      async next(withinMs, signal) {
        const events = await listener.next(withinMs, signal);
        taken += events.length;
        return events;
      },
    };
  }
  return { feed: { ...feed, listen }, count: () => taken };
}

/** The routes of events, as one caller is served by them. */
function asCaller(control: Control, caller: Caller) {
  const app = createRouter();
  app.use(async (c, next) => {
    c.set("control", control);
    c.set("caller", caller);
    c.set("countWrite", () => {});
    c.set("requestId", "r");
    c.set("stopping", new AbortController().signal);
    await next();
  });
  app.route("/events", eventRoutes);
  app.route("/audit", auditRoutes);
  app.route("/webhooks", webhookRoutes);
  app.onError((error, c) => c.json({ error: String(error) }, (error as AetherError).status as 400));
  // As Bun.serve hands them in: without it there are no bindings.
  return { request: async (path: string, init?: RequestInit) => app.request(path, init, {}) };
}
