import { expect, test } from "bun:test";
import { freePort } from "../../harness/agent.ts";
import { createLocalHarness } from "../../harness/local-runtime.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { waitFor } from "../../harness/wait-for.ts";

type Local = Awaited<ReturnType<typeof createLocalHarness>>;
const names = async (local: Local) => (await local.runtime.replicas("shop")).map(({ name }) => name);
const pidOf = async (local: Local) => (await local.get("/pid")).text();
const pidsOf = async (local: Local) => new Set(await Promise.all(Array.from({ length: 12 }, () => pidOf(local))));
const serving = (local: Local, count: number) =>
  waitFor(`${count} replicas to answer`, async () => (await pidsOf(local)).size === count);

test("an app is scaled without a new release, and what runs goes on", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"));
  const first = await pidOf(local);
  await local.runtime.scale("shop", 3);
  await serving(local, 3);
  expect(await pidsOf(local)).toContain(first);
  await local.runtime.scale("shop", 1);
  expect(await pidsOf(local)).toEqual(new Set([first]));
  expect(await names(local)).toEqual(["shop-v1-0"]);
  expect(local.events).toHaveLength(1);
  expect(local.store.requests).toHaveLength(2); // fetched once
});

test("a request that is being answered keeps the replica that is too many", async () => {
  await using local = await createLocalHarness({ graceMs: 10_000 });
  const slow = `require("http").createServer((q, s) => {
    if (q.url !== "/slow") return s.end(String(process.pid));
    s.write("a"); setTimeout(() => s.end("b"), 500);
  }).listen(process.env.PORT)`;
  await local.deploy({ "server.js": slow });
  const answer = await local.get("/slow");
  await local.runtime.scale("shop", 0);
  expect(await names(local)).toEqual([]);
  expect(await answer.text()).toBe("ab");
});

test("an app that is scaled to none stops, and starts with the next number", async () => {
  await using local = await createLocalHarness({ holdMs: 60_000 });
  await local.deploy(answering("hello"));
  await local.runtime.scale("shop", 0);
  const stopped = await local.get("/"); // at once: nothing is expected
  expect([stopped.status, await stopped.json()]).toEqual([
    503,
    expect.objectContaining({ message: "shop is scaled to no replica." }),
  ]);
  await local.runtime.scale("shop", 2);
  await serving(local, 2);
  expect(await names(local)).toEqual(["shop-v1-1", "shop-v1-2"]);
});

test("an app with a port of its own is stopped and started too", async () => {
  await using local = await createLocalHarness();
  const config = { start: "node server.js", port: await freePort() };
  await local.deploy(
    { "server.js": answering("hello")["server.js"].replaceAll("process.env.PORT", String(config.port)) },
    { config },
  );
  await local.runtime.scale("shop", 0);
  expect((await local.get("/")).status).toBe(503);
  await local.runtime.scale("shop", 1);
  await waitFor("the application", async () => (await local.get("/")).status === 200);
  expect(local.runtime.scaleProblem?.({ config, replicas: 2 })).toContain(`port ${config.port}`);
  expect(local.runtime.scaleProblem?.({ config, replicas: 1 })).toBeUndefined();
});

test("a release that waits for its verdict is scaled with the app", async () => {
  await using local = await createLocalHarness();
  const patient = `setTimeout(() => {${answering("hello")["server.js"]}}, 300)`;
  await local.runtime.apply(await local.release({ "server.js": patient }, { replicas: 3 }));
  await local.runtime.scale("shop", 1);
  expect(await local.verdict("d1")).toMatchObject({ type: "running" });
  await serving(local, 1);
  expect(await names(local)).toEqual(["shop-v1-0"]);
});

test("the same release with another number of replicas is the same release", async () => {
  await using local = await createLocalHarness();
  const release = await local.release(answering("hello"));
  await local.runtime.apply(release);
  await local.verdict("d1");
  const first = await pidOf(local);
  await local.runtime.apply({ ...release, replicas: 2, established: true });
  await serving(local, 2);
  expect(await pidsOf(local)).toContain(first);
});

test("a replica that joins a running release is tried until it runs", async () => {
  await using local = await createLocalHarness();
  const marker = `${local.folder.path}/crowded`;
  const shy = `const fs = require("fs");
    if (fs.existsSync(${JSON.stringify(marker)})) process.exit(1);${answering("hello")["server.js"]}`;
  await local.deploy({ "server.js": shy });
  await Bun.write(marker, "");
  await local.runtime.scale("shop", 2);
  await waitFor("two failures", async () => ((await local.runtime.replicas("shop"))[1]?.restarts ?? 0) > 1);
  expect(await pidsOf(local)).toHaveProperty("size", 1);
  await Bun.file(marker).delete();
  await serving(local, 2);
});

test("an app that was given nothing yet is left alone", async () => {
  await using local = await createLocalHarness();
  await local.runtime.scale("shop", 2);
  expect(await names(local)).toEqual([]);
});
