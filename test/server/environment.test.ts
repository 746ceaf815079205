import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { rowsOf } from "../../src/db/rows.ts";
import { createSealer } from "../../src/lib/sealer.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { createGuardedHarness } from "../harness/tokens.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

/** Stores and deploys `text`, and lets it run. */
async function run(aether: Harness, text: string) {
  const { digest } = await aether.store("shop", someBytes(text));
  const { body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
  return succeed(aether, body.id);
}

async function succeed(aether: Harness, id: string) {
  await aether.rollouts.settle();
  aether.runtime.succeed("shop", id);
  await aether.rollouts.settle();
  return id;
}

const namesOf = async (aether: Harness) =>
  (await aether.send("GET", "/apps/shop/env")).body.map(({ name }: { name: string }) => name);

withDatabases("variables", (open) => {
  test("what is set reaches what runs as a new release of the same artifact", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const set = { GREETING: "moin", COLOR: "red" };
    const changed = await aether.send("PATCH", "/apps/shop/env", { set });
    expect(changed).toMatchObject({
      status: 200,
      body: { variables: ["COLOR", "GREETING"], deployment: { version: 2, status: "pending" } },
    });
    await succeed(aether, changed.body.deployment.id);
    const [first, second] = aether.runtime.applied;
    expect(first?.env).toEqual({});
    expect(second).toMatchObject({ version: 2, env: set });
    expect(second?.digest).toBe(String(first?.digest));
  });

  test("a deploy takes the variables along and removes none", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" } });
    await run(aether, "two");
    expect(aether.runtime.applied.at(-1)).toMatchObject({ version: 3, env: { COLOR: "red" } });
    expect(await namesOf(aether)).toEqual(["COLOR"]);
  });

  test("what is set twice is released once, also when the answer was lost", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const ask = () => aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" } });
    const first = await ask();
    expect((await ask()).body).toEqual(first.body);
    await succeed(aether, first.body.deployment.id);
    expect((await ask()).body.deployment).toEqual({ ...first.body.deployment, status: "running" });
    expect((await aether.send("GET", "/apps/shop/releases")).body).toHaveLength(2);
  });

  test("changes that come at once lose nothing of each other, and the last release has all", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const names = ["A", "B", "C", "D", "E", "F"];
    const set = (name: string) => aether.send("PATCH", "/apps/shop/env", { set: { [name]: "1" } });
    const answers = await Promise.all(names.map(set));
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect(answers.map(({ body }) => body.deployment.version).sort()).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await namesOf(aether)).toEqual(names);
    await aether.rollouts.settle();
    expect(aether.runtime.applied.at(-1)).toMatchObject({ version: 7, env: { A: "1", F: "1" } });
  });

  test("without a deploy it waits for the next release", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const quiet = await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" }, deploy: false });
    expect(quiet.body).toEqual({ variables: ["COLOR"], deployment: null });
    expect((await aether.send("GET", "/apps/shop/releases")).body).toHaveLength(1);
    const restarted = await aether.send("POST", "/apps/shop/restart", {});
    expect(restarted).toMatchObject({ status: 201, body: { version: 2, status: "pending" } });
    await aether.rollouts.settle();
    expect(aether.runtime.applied.at(-1)?.env).toEqual({ COLOR: "red" });
  });

  test("an app that runs nothing keeps them for its first release", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const { body } = await aether.send("PATCH", "/apps/shop/env", { set: { COLOR: "red" } });
    expect(body).toEqual({ variables: ["COLOR"], deployment: null });
    await run(aether, "one");
    expect(aether.runtime.applied.at(-1)?.env).toEqual({ COLOR: "red" });
  });

  test("unset and replace take variables away, and nothing else does", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1", B: "2", C: "3" } });
    await aether.send("PATCH", "/apps/shop/env", { set: { D: "4" }, unset: ["A", "NEVER_THERE"] });
    expect(await namesOf(aether)).toEqual(["B", "C", "D"]);
    await aether.send("PUT", "/apps/shop/env", { set: { E: "5" } });
    expect(await namesOf(aether)).toEqual(["E"]);
  });

  test.each([
    ["newlines", "-----BEGIN KEY-----\nabc\r\n-----END KEY-----\n"],
    ["what shells and Kubernetes expand", "$(rm -rf /) `id` ${HOME} $$ %PATH% \\n 'x' \"y\""],
    ["nothing", ""],
    ["spaces", "  a  "],
    ["letters of the world", "naïve 日本 🙂"],
    ["a long one", "x".repeat(130_000)],
  ])("a value with %s comes back exactly", async (_what, value) => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await aether.send("PATCH", "/apps/shop/env", { set: { VALUE: value } });
    await aether.rollouts.settle();
    expect(aether.runtime.applied.at(-1)?.env).toEqual({ VALUE: value });
    const { body } = await aether.send("GET", "/apps/shop/env?reveal=1");
    expect(body[0].value).toBe(value);
  });

  test.each([
    ["PORT", "80", "given by the platform"],
    ["AETHER_TOKEN", "x", "are the platform's"],
    ["1ST", "x", "no name of a variable"],
    ["A-B", "x", "no name of a variable"],
    ["", "x", "no name of a variable"],
    ["A".repeat(254), "x", "no name of a variable"],
    ["LARGE", "x".repeat(131_072), "Linux starts no program"],
    ["NUL", "a\0b", "NUL"],
  ])("%s is refused, with the reason and without its value", async (name, value, why) => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const answer = await aether.send("PATCH", "/apps/shop/env", { set: { FINE: "1", [name]: value } });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request", message: expect.stringContaining(why) } });
    expect(await namesOf(aether)).toEqual([]);
  });

  test("too many, or too much together, is refused as a whole", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`V${index}`, "x"]));
    expect(await aether.send("PATCH", "/apps/shop/env", { set: many })).toMatchObject({ status: 400 });
    const part = (from: number) =>
      Object.fromEntries(Array.from({ length: 3 }, (_, index) => [`V${from + index}`, "x".repeat(128 * 1024 - 10)]));
    expect((await aether.send("PATCH", "/apps/shop/env", { set: part(0) })).status).toBe(200);
    expect((await aether.send("PATCH", "/apps/shop/env", { set: part(3) })).status).toBe(200);
    const over = await aether.send("PATCH", "/apps/shop/env", { set: { V9: "x".repeat(100) } });
    expect(over.body.message).toContain("at most 786432");
    expect(await namesOf(aether)).toHaveLength(6);
  });

  test("a variable is not set and unset at once", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const answer = await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" }, unset: ["A"] });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  test("a value is in nothing that people read, unless they ask for it", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    const canary = "canary-9f2c71";
    const wishes = [
      { set: { SECRET: canary } },
      { set: { [`SECRET=${canary}`]: "x", NEXT: canary } },
      { set: { SECRET: `${canary}\0` } },
      { set: { SECRET: canary.repeat(20_000) } },
      { set: { SECRET: [canary] } },
      { set: { SECRET: canary }, unset: ["SECRET"] },
    ];
    const answers = await Promise.all(wishes.map((wish) => aether.send("PATCH", "/apps/shop/env", wish)));
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 400, 400, 400]);
    await aether.rollouts.settle();
    aether.runtime.fail("shop");
    await aether.rollouts.settle();
    const read = await Promise.all(
      ["env", "releases", "deployments", ""].map((path) => aether.send("GET", `/apps/shop/${path}`.replace(/\/$/, ""))),
    );
    const audit = await aether.send("GET", "/audit");
    const tables = ["app_variables", "deployments", "audit_events", "idempotency_keys"];
    const rows = await Promise.all(
      tables.map(async (table) => rowsOf(await aether.control.db.execute(sql.raw(`select * from ${table}`)))),
    );
    const shown = JSON.stringify([...[...answers, ...read].map(({ body }) => body), audit.body, rows, aether.lines]);
    expect(shown).toContain("SECRET");
    expect(shown).not.toContain(canary);
  });

  test("the audit tells the names, and who saw the values", async () => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1", B: "2" } });
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1", B: "3" }, unset: ["NONE"] });
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" } });
    await aether.send("GET", "/apps/shop/env");
    await aether.send("GET", "/apps/shop/env?reveal=1");
    const { body } = await aether.send("GET", "/audit?app=shop");
    expect(body.map(({ action, detail }: { action: string; detail: unknown }) => [action, detail])).toEqual([
      ["app.env_revealed", { names: ["A", "B"] }],
      ["app.env_changed", { set: ["B"], unset: [] }],
      ["app.env_changed", { set: ["A", "B"], unset: [] }],
      ["app.created", null],
    ]);
  });

  test("a server with another key says what is wrong, and still runs other apps", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" } });
    await aether.rollouts.settle();
    aether.control.secrets = createSealer([new Uint8Array(32).fill(1)]);
    const { digest } = await aether.store("other", someBytes("two"));
    await aether.send("POST", "/deployments", { app_name: "other", digest });
    expect(await aether.send("GET", "/apps/shop/env?reveal=1")).toMatchObject({
      status: 503,
      body: { hint: expect.stringContaining("AETHER_SECRETS_KEY_PREVIOUS") },
    });
    expect((await aether.send("GET", "/apps/shop/releases")).body[0]).toMatchObject({ variables: null });
    await aether.rollouts.settle();
    expect(aether.runtime.applied.at(-1)?.app).toBe("other");
  });

  test("an app that is removed takes its variables along", async () => {
    await using aether = await createHarness({ open });
    await run(aether, "one");
    await aether.send("PATCH", "/apps/shop/env", { set: { A: "1" } });
    await aether.rollouts.settle();
    expect((await aether.send("DELETE", "/apps/shop")).status).toBe(204);
    await aether.send("POST", "/apps", { name: "shop" });
    expect(await namesOf(aether)).toEqual([]);
  });
});

test("values are revealed to who may change the app, not to readers", async () => {
  await using aether = await createGuardedHarness();
  const deployer = (await aether.makeToken({ role: "deployer", apps: ["shop"] })).token;
  const reader = (await aether.makeToken({ role: "reader" })).token;
  const foreign = (await aether.makeToken({ role: "deployer", apps: ["other"] })).token;
  await aether.as(deployer, "POST", "/apps", { name: "shop" });
  await aether.as(deployer, "PATCH", "/apps/shop/env", { set: { A: "1" } });
  expect((await aether.as(deployer, "GET", "/apps/shop/env?reveal=1")).body[0].value).toBe("1");
  expect((await aether.as(reader, "GET", "/apps/shop/env")).body[0].value).toBeNull();
  expect((await aether.as(reader, "GET", "/apps/shop/env?reveal=1")).status).toBe(403);
  expect((await aether.as(foreign, "GET", "/apps/shop/env?reveal=1")).status).toBe(404);
});
