import { expect, test } from "bun:test";
import { createUser, startServe } from "../harness/binary.ts";
import { openEvents } from "../harness/event-stream.ts";
import { createPostgresUrl, postgresTier } from "../harness/postgres.ts";
import { type Received, startReceiver } from "../harness/receiver.ts";
import { waitFor } from "../harness/wait-for.ts";

const secret = "a secret of sixteen or more";

async function post(api: string, path: string, body: object): Promise<{ id: string }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${api}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as { id: string };
}

const idsOf = (received: Received[]) => received.map(({ headers }) => headers.get("x-aether-delivery"));

test("what was on its way when the server was killed is delivered by the next start", async () => {
  const gate = Promise.withResolvers<void>();
  await using user = await createUser();
  await using receiver = startReceiver({
    answer: (nth) => (nth <= 4 ? gate.promise.then(() => new Response()) : new Response()),
  });
  const first = await startServe(user);
  await post(first.api, "/webhooks", { url: receiver.url, secret, events: ["app.created"] });
  const names = Array.from({ length: 10 }, (_, at) => `app-${at}`);
  for (const name of names) await post(first.api, "/apps", { name });
  await waitFor("four are in its hands", () => receiver.received.length === 4);
  await first.kill();
  gate.resolve();
  const begun = idsOf(receiver.received);
  await using second = await startServe(user);
  const told = () => new Set(receiver.received.map(({ event }) => event.app));
  await waitFor("all are told", () => told().size === names.length);
  expect([...told()].sort()).toEqual(names);
  const again = idsOf(receiver.received.slice(4));
  expect(begun.every((id) => again.includes(id))).toBe(true); // nobody had confirmed them
  expect(new Set(again).size).toBe(names.length);
  expect(second.port).toBeGreaterThan(0);
}, 180_000);

test("a feed ends with the server, and goes on after its kill without a gap", async () => {
  await using user = await createUser();
  const first = await startServe(user);
  const stream = await openEvents(`${first.api}/events`);
  await post(first.api, "/apps", { name: "one" });
  const seen = await stream.next();
  await stream[Symbol.asyncDispose]();
  await post(first.api, "/apps", { name: "two" });
  await first.kill();
  await using second = await startServe(user);
  await using again = await openEvents(`${second.api}/events`, { "last-event-id": String(seen?.id) });
  await post(second.api, "/apps", { name: "three" });
  expect([(await again.next())?.app, (await again.next())?.app]).toEqual(["two", "three"]);
  expect(await second.stop()).toBe(0);
  expect(await again.next()).toBeUndefined();
}, 180_000);

test.skipIf(!postgresTier().available)(
  "two servers on one Postgres send each delivery once, and tell of each other's deeds",
  async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const env = { DATABASE_URL: database.url, AETHER_SECRETS_KEY: "7".repeat(64) };
    await using one = await startServe(user, { env, dataFolder: `${user.path}/one` });
    await using two = await startServe(user, { env, dataFolder: `${user.path}/two` });
    await using receiver = startReceiver();
    await using stream = await openEvents(`${two.api}/events`);
    await post(one.api, "/webhooks", { url: receiver.url, secret, events: ["app.created"] });
    const names = Array.from({ length: 40 }, (_, at) => `app-${String(at).padStart(2, "0")}`);
    await Promise.all(names.map((name, at) => post([one, two][at % 2]?.api ?? "", "/apps", { name })));
    const told: (string | null | undefined)[] = [];
    while (told.length < names.length) told.push((await stream.next())?.app);
    expect(told.sort()).toEqual(names);
    await waitFor("all are sent", () => receiver.received.length >= names.length);
    await Promise.all([one.stop(), two.stop()]); // whatever would be sent twice has been
    expect(receiver.received).toHaveLength(names.length);
    expect(new Set(idsOf(receiver.received)).size).toBe(names.length);
  },
  60_000,
);

test.skipIf(!postgresTier().available)(
  "on Postgres a server without a secrets key does not start, and says what to do",
  async () => {
    await using user = await createUser();
    await using database = await createPostgresUrl();
    const ran = await user.run(["serve", "--port", "0", "--gateway-port", "0", "--data-dir", `${user.path}/data`], {
      env: { DATABASE_URL: database.url },
    });
    expect([ran.code, ran.stderr]).toEqual([10, expect.stringContaining("openssl rand -hex 32")]);
  },
  60_000,
);
