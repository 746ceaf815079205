import { expect, test } from "bun:test";
import { processRecord } from "../../../src/lib/processes.ts";
import { busyApp } from "../../harness/busy-app.ts";
import { createHotApp, type HotApp } from "../../harness/hot-app.ts";
import { nodes } from "../../harness/nodes.ts";
import { ask, open, strictLoad } from "../../harness/strict-load.ts";
import { waitFor } from "../../harness/wait-for.ts";

/** A process that nobody has reaped yet is none. */
const isAlive = (pid: number): boolean => processRecord(pid) !== undefined;

const pidOf = async (app: HotApp): Promise<number> => Number(await app.get("/pid"));

test("a version takes over when it answers, and the one before ends", async () => {
  await using app = await createHotApp();
  expect(await app.reload(busyApp("one"))).toMatchObject({ ok: true, seq: 1 });
  expect(await app.get()).toBe("one");
  const before = await pidOf(app);
  expect(await app.reload(busyApp("two"))).toMatchObject({ ok: true, seq: 2 });
  expect(await app.get()).toBe("two");
  await waitFor("the first process to be gone", () => !isAlive(before));
  await waitFor("it to be told", async () => (await app.status()).draining === 0);
});

test.each([
  ["crashes", "console.error('no database'); process.exit(7)", {}, "crash_loop", "exited with code 7"],
  ["ends", "console.error('no database')", {}, "exited", "ended at once with exit code 0"],
  [
    "never listens",
    "console.error('no database'); setInterval(() => {}, 1000)",
    { startTimeoutMs: 2_000 },
    "not_listening",
    "does not listen on port",
  ],
  [
    "fails its health check",
    `console.error('no database'); ${busyApp("ill")["server.js"]}`,
    { startTimeoutMs: 2_000, healthPath: "/ill" },
    "probe_failed",
    "GET /ill on port",
  ],
])("a version that %s changes nothing", async (_, code, more, reason, message) => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const before = await pidOf(app);
  const load = strictLoad({ port: app.port, connections: 2, everyMs: 20, isKept: true });
  const outcome = await app.reload({ "server.js": code }, more);
  expect(outcome).toMatchObject({ ok: false, reason, message: expect.stringContaining(message) });
  expect(outcome.log).toContain("no database");
  expect(await pidOf(app)).toBe(before);
  await load.stop();
  expect([load.failures, [...load.answers.keys()]]).toEqual([[], ["one"]]);
  expect(await app.reload(busyApp("two"))).toMatchObject({ ok: true });
  expect(await app.get()).toBe("two");
});

test("nobody is let in before a first version answers, and a second one may be the first", async () => {
  await using app = await createHotApp();
  expect(await app.reload({ "server.js": "process.exit(1)" })).toMatchObject({ ok: false });
  await expect(app.get()).rejects.toThrow();
  expect(await app.reload(busyApp("mended"))).toMatchObject({ ok: true });
  expect(await app.get()).toBe("mended");
});

test("a version that crashes later is started again, and who comes meanwhile waits for it", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const before = await pidOf(app);
  await app.get("/crash");
  const note = "[aether] The application exited with code 3. It is started again.";
  await waitFor("its end to be seen", () => app.said().includes(note));
  expect(await app.get()).toBe("one");
  expect(await pidOf(app)).not.toBe(before);
});

test("a version that cannot be started again lets nobody in, until another one answers", async () => {
  await using app = await createHotApp();
  const once = `const fs = require("fs"); if (fs.existsSync("once")) process.exit(1); fs.writeFileSync("once", "");`;
  await app.reload({ "server.js": `${once}${busyApp("one")["server.js"]}` });
  await app.get("/crash");
  await waitFor(
    "the port to be closed",
    () =>
      app.get().then(
        () => false,
        () => true,
      ),
    { withinMs: 20_000 },
  );
  expect(await app.reload(busyApp("two"))).toMatchObject({ ok: true });
  expect(await app.get()).toBe("two");
});

test("a newer wish gives up the version that is being tried", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  await app.wish({ "server.js": "console.log('waiting'); setInterval(() => {}, 1000)" }, { startTimeoutMs: 60_000 });
  await waitFor("it to be tried", () => app.said().includes("waiting"));
  expect(await app.reload(busyApp("two"))).toMatchObject({ ok: true, seq: 3 });
  expect(await app.get()).toBe("two");
});

test("a supervisor that is started anew runs what worked last, not what failed", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const before = await pidOf(app);
  await app.reload({ "server.js": "process.exit(1)" });
  await app.restart();
  process.kill(before, "SIGKILL"); // in a pod it ends with its container
  await waitFor("an answer", () =>
    app.get().then(
      (text) => text === "one",
      () => false,
    ),
  );
  expect(await pidOf(app)).not.toBe(before);
});

test("a kept connection gets its next answer and is asked to go, whatever the program says of it", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const [plain, stubborn] = [await open(app.port), await open(app.port)];
  expect(await ask(plain, "/", true)).toMatchObject({ body: "one", closes: false });
  expect(await ask(stubborn, "/keep", true)).toMatchObject({ body: "kept", closes: false });
  await app.reload(busyApp("two"));
  expect(await ask(plain, "/", true)).toMatchObject({ body: "one", closes: true });
  expect(await ask(stubborn, "/keep", true)).toMatchObject({ body: "kept", closes: true });
  await waitFor("the first version to be gone", async () => (await app.status()).draining === 0);
});

test("idle connections hold up no reload; one that speaks keeps its version until the deadline, and no longer", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("v0"), { drainMs: 15_000 });
  const speaking = await open(app.port);
  speaking.write("GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  let heard = "";
  speaking.on("data", (chunk) => {
    heard += chunk;
  });
  const idle = [];
  for (const version of ["v1", "v2", "v3", "v4", "v5", "v6"]) {
    idle.push(await open(app.port));
    expect(await app.reload(busyApp(version))).toMatchObject({ ok: true });
  }
  speaking.write("still there?");
  await waitFor("an echo of the first version", () => heard.includes("v0 still there?"));
  await waitFor("the deadline", () => speaking.destroyed || speaking.readableEnded, { withinMs: 30_000 });
  for (const socket of idle) socket.destroy();
});

test("a program that is not Node.js gets its readiness, its deadline and SIGTERM", async () => {
  await using app = await createHotApp();
  const files = (text: string) => ({
    "server.ts": `
      const server = Bun.serve({ port: process.env.PORT, hostname: "127.0.0.1", fetch: () => new Response(${JSON.stringify(text)}) });
      process.on("SIGTERM", () => { console.log("SIGTERM to ${text}"); process.exit(0); });`,
  });
  const start = `${process.execPath} server.ts`;
  await app.reload(files("one"), { start, drainMs: 300 });
  const kept = await open(app.port);
  expect(await ask(kept, "/", true)).toMatchObject({ body: "one" });
  await app.reload(files("two"), { start });
  expect(await app.get()).toBe("two");
  await waitFor("the connection to be closed at last", () => kept.destroyed || kept.readableEnded);
  expect(app.said()).toContain("SIGTERM to one");
});

test("a program that insists on its own port is given the version's", async () => {
  await using app = await createHotApp();
  const insisting = (text: string) => busyApp(text, `.listen({ port: ${app.port}, host: "127.0.0.1" })`);
  expect(await app.reload(insisting("one"))).toMatchObject({ ok: true });
  expect(await app.reload(insisting("two"))).toMatchObject({ ok: true });
  expect(await app.get()).toBe("two");
});

test("a program has the container's environment, its own NODE_OPTIONS, and nothing of the supervisor's", async () => {
  await using app = await createHotApp({
    env: { GREETING: "hello", AETHER_APP_NODE_OPTIONS: "--stack-trace-limit=77" },
  });
  await app.reload(busyApp("one"));
  const env = JSON.parse(await app.get("/env"));
  expect(env).toMatchObject({
    GREETING: "hello",
    NODE_OPTIONS: expect.stringMatching(/^--require ".*" --stack-trace-limit=77$/),
  });
  expect(Number(env.PORT)).not.toBe(app.port);
  expect(Object.keys(env).filter((name) => name.startsWith("AETHER_"))).toEqual(["AETHER_HOT"]);
});

test.each(nodes())("a program sees its client's address and not the supervisor's, on %s", async (_, node) => {
  await using app = await createHotApp({ node });
  await app.reload(busyApp("one"));
  for (const localAddress of ["127.0.0.5", "127.0.0.6"]) {
    const socket = await open(app.port, localAddress);
    expect(await ask(socket, "/client", true)).toMatchObject({ body: `${localAddress} ${socket.localPort}` });
    expect(await ask(socket, "/client", true)).toMatchObject({ body: `${localAddress} ${socket.localPort}` });
    socket.destroy();
  }
});

test("SIGTERM ends the supervisor with all that it started", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const speaking = await open(app.port);
  speaking.write("GET /chat HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  const first = await pidOf(app);
  await app.reload(busyApp("two"));
  const second = await pidOf(app);
  expect(await app.end()).toBe(0);
  expect([first, second].map(isAlive)).toEqual([false, false]);
});

test("a version that answers and then does not stay up gives way to the one before", async () => {
  await using app = await createHotApp();
  await app.reload(busyApp("one"));
  const shortLived = `setTimeout(() => process.exit(4), 300);${busyApp("two")["server.js"]}`;
  expect(await app.reload({ "server.js": shortLived })).toMatchObject({ ok: true });
  const outcome = await waitFor("it to be given up", async () => {
    const { outcome: known } = await app.status();
    return known?.ok === false && known;
  });
  expect(outcome).toMatchObject({ seq: 2, reason: "crash_loop", message: expect.stringContaining("third time") });
  expect(await app.get()).toBe("one");
});

test("a first version that comes up at last is told after all", async () => {
  await using app = await createHotApp();
  const late = `const fs = require("fs"); fs.appendFileSync("tries", "."); if (fs.statSync("tries").size < 6) process.exit(1);`;
  expect(await app.reload({ "server.js": `${late}${busyApp("one")["server.js"]}` })).toMatchObject({ ok: false });
  await waitFor("it to be told", async () => (await app.status()).outcome?.ok === true);
  expect(await app.get()).toBe("one");
});
