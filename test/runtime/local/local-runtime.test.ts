import { expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { processRecord } from "../../../src/lib/processes.ts";
import { createLocalRuntime } from "../../../src/runtime/local/local-runtime.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { freePort } from "../../harness/agent.ts";
import { createLocalHarness } from "../../harness/local-runtime.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { waitFor } from "../../harness/wait-for.ts";

type Local = Awaited<ReturnType<typeof createLocalHarness>>;
const textOf = async (local: Local, app = "shop") => (await local.get("/", app)).text();

test("a release answers through the gateway", async () => {
  await using local = await createLocalHarness();
  expect(await local.deploy(answering("hello"))).toEqual({ type: "running", app: "shop", deploymentId: "d1" });
  expect(await textOf(local)).toBe("hello");
  expect(local.runtime.url("shop")).toBe(`http://shop.localhost:${local.gateway.port}`);
});

test("applications get nothing of the server's environment", async () => {
  process.env.AETHER_CANARY = "must-not-leak";
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"), { env: { GREETING: "moin" } });
  const env = (await (await local.get("/env")).json()) as Record<string, string>;
  delete process.env.AETHER_CANARY;
  const known = ["GREETING", "HOME", "LANG", "NODE_ENV", "PATH", "PORT", "TZ"];
  expect(Object.keys(env).filter((name) => ![...known, "PWD", "OLDPWD", "SHLVL", "_"].includes(name))).toEqual([]);
  expect(env).toMatchObject({ GREETING: "moin", HOME: join(local.folder.path, "apps", "shop", "home") });
});

test("nothing secret is in what the processes show or the driver logs", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"), { env: { API_KEY: "canary-5f1c" } });
  const shown = await new Response(Bun.spawn(["ps", "-axo", "args"]).stdout).text();
  expect(shown).not.toContain("canary-5f1c");
  expect(local.logged.join("")).not.toContain("canary-5f1c");
});

test("a new release takes over, and the old one ends", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("one"));
  const pid = Number(await (await local.get("/pid")).text());
  await local.deploy(answering("two"));
  expect(await textOf(local)).toBe("two");
  expect(await local.runtime.replicas("shop")).toMatchObject([{ name: "shop-v2-0", state: "running", version: 2 }]);
  await waitFor("the old one to end", () => processRecord(pid) === undefined);
});

test("what served before a start is tried until it runs, and is judged no more", async () => {
  await using local = await createLocalHarness({ holdMs: 100 });
  const key = join(local.folder.path, "key");
  const picky = {
    "server.js": `if (!require("fs").existsSync(${JSON.stringify(key)})) process.exit(1);${answering("back")["server.js"]}`,
  };
  await local.runtime.apply(await local.release(picky, { established: true }));
  await waitFor("the first failure", () => local.logged.some((line) => line.includes("it is tried again")));
  expect(local.events).toEqual([]);
  expect((await local.get("/")).status).toBe(503);
  expect(await local.runtime.replicas("shop")).toMatchObject([{ version: 1, failure: { reason: "crash_loop" } }]);
  await writeFile(key, "");
  await waitFor("the application to answer", async () => (await textOf(local)) === "back");
  const [replica] = await local.runtime.replicas("shop");
  expect(replica?.state).toBe("running");
  expect(replica?.restarts).toBeGreaterThan(0);
  expect(replica).not.toHaveProperty("failure");
  expect(local.events).toEqual([{ type: "running", app: "shop", deploymentId: "d1" }]);
});

test("a newer release is judged while what served before is still starting", async () => {
  await using local = await createLocalHarness();
  await local.runtime.apply(await local.release(answering("one"), { established: true }));
  const verdict = await local.deploy({ "server.js": "process.exit(1)" });
  expect(verdict).toMatchObject({ type: "failed", deploymentId: "d2" });
  expect(await textOf(local)).toBe("one");
});

test("a release that fails leaves the old one serving, and its log can be read", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("one"));
  const verdict = await local.deploy({ "server.js": "console.error('no database'); process.exit(1)" });
  expect(verdict).toMatchObject({
    type: "failed",
    deploymentId: "d2",
    failure: { reason: "crash_loop", log: expect.arrayContaining(["no database"]) },
  });
  expect(await textOf(local)).toBe("one");
  const lines: string[] = [];
  for await (const line of local.runtime.logs("shop", {}, new AbortController().signal))
    lines.push(`${line.pod} ${line.line}`);
  expect(lines).toContain("shop-v2-0 no database");
  expect(await local.runtime.replicas("shop")).toMatchObject([{ name: "shop-v1-0", state: "running" }]);
});

test("the release that runs is only reported again", async () => {
  await using local = await createLocalHarness();
  const release = await local.release(answering("one"));
  await local.runtime.apply(release);
  await waitFor("the verdict", () => local.events.length === 1);
  const pid = await (await local.get("/pid")).text();
  await local.runtime.apply({ ...release, downloadUrl: "http://elsewhere/" });
  expect(local.events).toEqual([local.events[0], local.events[0]] as typeof local.events);
  expect(await (await local.get("/pid")).text()).toBe(pid);
});

test("another deployment of the same digest starts anew with its own variables", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("one"), { env: { COLOR: "red" } });
  await local.deploy(answering("one"), { env: { COLOR: "blue" } });
  expect(await (await local.get("/env")).json()).toMatchObject({ COLOR: "blue" });
  expect(await readdir(join(local.folder.path, "apps", "shop", "releases"))).toHaveLength(1);
});

test("a newer release replaces one that has not answered yet", async () => {
  await using local = await createLocalHarness();
  const stuck = await local.release({ "server.js": "setInterval(() => {}, 1000)" });
  await local.runtime.apply(stuck);
  expect(await local.deploy(answering("two"))).toMatchObject({ type: "running", deploymentId: "d2" });
  expect(local.events.map((event) => event.deploymentId)).toEqual(["d2"]);
  await waitFor("the first one to be gone", async () => (await local.runtime.replicas("shop")).length === 1);
});

test("all replicas serve in turn", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"), { replicas: 3 });
  const pids = await Promise.all(Array.from({ length: 9 }, async () => (await local.get("/pid")).text()));
  expect(new Set(pids).size).toBe(3);
  expect((await local.runtime.replicas("shop")).map((replica) => replica.name)).toEqual([
    "shop-v1-0",
    "shop-v1-1",
    "shop-v1-2",
  ]);
  expect(local.store.requests).toHaveLength(2); // fetched once: the redirect and the bytes
});

test("a release scaled to none runs nothing", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"));
  expect(await local.deploy(answering("hello"), { replicas: 0 })).toMatchObject({ type: "running" });
  await waitFor("the replica to end", async () => (await local.get("/")).status === 503);
  expect(await local.runtime.replicas("shop")).toEqual([]);
});

test("a crash is counted, and requests wait until the application is back", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"));
  await local.get("/crash");
  await waitFor("the crash to be noticed", async () => (await local.runtime.replicas("shop"))[0]?.restarts === 1);
  expect((await local.get("/")).status).toBe(200);
});

test("two applications do not touch each other", async () => {
  await using local = await createLocalHarness();
  await Promise.all([local.deploy(answering("shop")), local.deploy(answering("blog"), { app: "blog" })]);
  expect([await textOf(local, "shop"), await textOf(local, "blog")]).toEqual(["shop", "blog"]);
  await local.runtime.remove("shop");
  expect([(await local.get("/", "shop")).status, await textOf(local, "blog")]).toEqual([404, "blog"]);
  expect(await readdir(join(local.folder.path, "apps"))).toEqual(["blog"]);
  await local.runtime.remove("shop");
});

test("a Node.js that does not fit is said before anything starts", async () => {
  await using local = await createLocalHarness();
  const verdict = await local.deploy(answering("hello"), { config: { start: "node server.js", node: ">=99" } });
  expect(verdict).toMatchObject({
    failure: { reason: "unschedulable", message: expect.stringContaining("asks for Node.js >=99") },
  });
  expect(await local.deploy(answering("hello"), { config: { start: "node server.js", node: ">=18" } })).toMatchObject({
    type: "running",
  });
});

/** Like `answering`, but it listens on its own port whatever PORT says. */
const stubborn = (text: string, port: number) => ({
  "server.js": `process.env.PORT = "${port}";${answering(text)["server.js"]}`,
});

test("releases with a port of their own follow each other, and no request fails meanwhile", async () => {
  await using local = await createLocalHarness();
  const port = await freePort();
  const config = { start: "node server.js", port };
  await local.deploy(stubborn("one", port), { config });
  const requests: Promise<number>[] = [];
  const load = setInterval(() => requests.push(local.get("/").then((response) => response.status)), 10);
  expect(await local.deploy(stubborn("two", port), { config })).toMatchObject({ type: "running" });
  clearInterval(load);
  expect(new Set(await Promise.all(requests))).toEqual(new Set([200]));
  expect(await textOf(local)).toBe("two");
});

test("a release with a port of its own comes back when its successor fails", async () => {
  await using local = await createLocalHarness();
  const port = await freePort();
  const config = { start: "node server.js", port };
  await local.deploy(stubborn("one", port), { config });
  expect(await local.deploy({ "server.js": "process.exit(1)" }, { config })).toMatchObject({ type: "failed" });
  expect(await textOf(local)).toBe("one");
  expect(await local.runtime.replicas("shop")).toMatchObject([{ name: "shop-v1-0" }]);
});

test("two replicas on one port are refused with the reason", async () => {
  await using local = await createLocalHarness();
  const verdict = await local.deploy(answering("hello"), {
    replicas: 2,
    config: { start: "node server.js", port: 3_000 },
  });
  expect(verdict).toMatchObject({
    failure: { reason: "unschedulable", message: expect.stringContaining("PORT it is given") },
  });
});

test("an application that fails where another one is on its port is told so, and the other one stays", async () => {
  await using local = await createLocalHarness();
  const port = await freePort();
  const config = { start: "node server.js", port };
  await local.deploy(stubborn("one", port), { config });
  const verdict = await local.deploy(stubborn("other", port), { app: "blog", config });
  expect(verdict).toMatchObject({
    failure: { message: expect.stringContaining(`wants port ${port}, which is in use`) },
  });
  expect(await textOf(local)).toBe("one");
});

test("only the last releases and logs are kept", async () => {
  await using local = await createLocalHarness();
  for (let i = 0; i < 8; i += 1) await local.deploy(answering(`v${i}`));
  const own = join(local.folder.path, "apps", "shop");
  await waitFor("the old ones to go", async () => {
    const [releases, logs] = await Promise.all([readdir(join(own, "releases")), readdir(join(own, "logs"))]);
    return releases.length === 3 && logs.length <= 5;
  });
  expect(await textOf(local)).toBe("v7");
});

test("stop ends everything", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"), { replicas: 2 });
  const pid = Number(await (await local.get("/pid")).text());
  await local.runtime.stop();
  expect(processRecord(pid)).toBeUndefined();
  expect(await readdir(join(local.folder.path, "processes"))).toEqual([]);
  expect((await local.get("/")).status).toBe(503);
});

test("a machine without Node.js is told so", async () => {
  await using folder = await temporaryFolder();
  const runtime = createLocalRuntime({
    folder: folder.path,
    agent: { source: "" },
    env: { PATH: folder.path },
    gatewayUrl: () => "",
    storageOrigins: [],
    log: createLogger({ level: "error", format: "json", write: () => undefined }),
  });
  await expect(runtime.check()).rejects.toMatchObject({
    code: "service_unavailable",
    hint: expect.stringContaining("Install Node.js 18"),
  });
});

test("the platform is that of the machine's Node.js", async () => {
  await using local = await createLocalHarness();
  const node = Bun.spawnSync(["node", "-p", "process.versions.node"]).stdout.toString().trim();
  expect(await local.runtime.platform()).toMatchObject({ os: process.platform, arch: process.arch, node });
});
