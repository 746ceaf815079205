import { expect, test } from "bun:test";
import { readdir, readFile, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import { groupMembers, isRunning } from "../../src/lib/processes.ts";
import { freePort, startAgent } from "../harness/agent.ts";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";
import { answering } from "../harness/tiny-apps.ts";
import { waitFor } from "../harness/wait-for.ts";

const listen = "require('http').createServer((q, r) => r.end('ok')).listen(process.env.PORT);";

test("an application is fetched, unpacked, started and answers", async () => {
  await using agent = await startAgent(answering("hello"));
  await agent.event("answering");
  expect(agent.events.map((event) => event.event)).toEqual(["fetched", "unpacked", "prepared", "started", "answering"]);
  expect(await (await agent.get("/")).text()).toBe("hello");
  expect(await readdir(agent.spec.releasesFolder)).toEqual([agent.spec.digest]);
});

test("an application gets its own environment and nothing of ours", async () => {
  const env = { HOME: "/tmp", TZ: "UTC", LANG: "C.UTF-8", PATH: process.env.PATH ?? "", GREETING: "two\nlines $(x)" };
  await using agent = await startAgent(answering("hello"), { env });
  await agent.event("answering");
  const { PWD, SHLVL, _, OLDPWD, ...seen } = (await (await agent.get("/env")).json()) as Record<string, string>;
  expect(Object.keys(seen).sort()).toEqual(["GREETING", "HOME", "LANG", "NODE_ENV", "PATH", "PORT", "TZ"]);
  expect(seen).toEqual({ ...env, PATH: seen.PATH ?? "", NODE_ENV: "production", PORT: String(agent.spec.port) });
  expect(seen.PATH).toStartWith(`${agent.spec.releasesFolder}/${agent.spec.digest}/node_modules/.bin:`);
});

test("an application's own NODE_ENV counts, its own PORT does not", async () => {
  const env = { PATH: process.env.PATH ?? "", NODE_ENV: "staging", PORT: "1" };
  await using agent = await startAgent(answering("hello"), { env });
  await agent.event("answering");
  expect(await (await agent.get("/env")).json()).toMatchObject({ NODE_ENV: "staging", PORT: String(agent.spec.port) });
});

test("the artifact's own start command is used when the deployment names none", async () => {
  const files = {
    "index.mjs": `import http from "node:http"; http.createServer((q, r) => r.end("esm")).listen(process.env.PORT)`,
  };
  await using agent = await startAgent({ ...files, ".aether/app.json": JSON.stringify({ start: "node index.mjs" }) });
  await agent.event("answering");
  expect(await (await agent.get("/")).text()).toBe("esm");
});

test("a program in node_modules/.bin is found by its name", async () => {
  const files = { "node_modules/.bin/serve-it": `#!/bin/sh\nexec node server.js`, ...answering("bin") };
  await using agent = await startAgent(files, { config: { start: "sh node_modules/.bin/serve-it" } });
  await agent.event("answering");
});

test("an application that listens on ::1 only is found there", async () => {
  await using agent = await startAgent({
    "server.js": `require("http").createServer((q, r) => r.end()).listen(process.env.PORT, "::1")`,
  });
  expect(await agent.event("answering")).toMatchObject({ host: "::1" });
});

test("SIGTERM reaches an application behind a shell, and its last words are kept", async () => {
  const agent = await startAgent(answering("hello"), { config: { start: "true; node server.js; true" } });
  await using _ = agent;
  const { pid } = await agent.event("started");
  await agent.event("answering");
  expect(await agent.end()).toBe(0);
  expect(groupMembers(pid)).toEqual([]);
  expect((await agent.log()).map((line) => line.line)).toContain("got SIGTERM");
  expect(agent.events.at(-1)).toEqual({ event: "stopped" });
});

test("an application that ignores SIGTERM is killed after the grace", async () => {
  await using agent = await startAgent(
    { "server.js": `${listen} process.on("SIGTERM", () => console.log("no"))` },
    { graceMs: 100 },
  );
  const { pid } = await agent.event("started");
  await agent.event("answering");
  expect(await agent.end()).toBe(0);
  expect(groupMembers(pid)).toEqual([]);
});

test("children that an application leaves in its group are ended with it", async () => {
  const files = { "server.js": `require("child_process").spawn("sleep", ["1000"], { stdio: "ignore" }); ${listen}` };
  await using agent = await startAgent(files, { graceMs: 300 });
  const { pid } = await agent.event("started");
  await agent.event("answering");
  expect(groupMembers(pid).length).toBeGreaterThan(1);
  agent.send({ op: "stop" });
  await agent.event("stopped");
  expect(groupMembers(pid)).toEqual([]);
});

test("a crash after the first answer is followed by a restart, and said in the log", async () => {
  await using agent = await startAgent(answering("hello"));
  await agent.event("answering");
  await agent.get("/crash");
  expect(await agent.event("exited")).toMatchObject({ code: 3, signal: null });
  await agent.event("answering", 2);
  expect(await (await agent.get("/")).text()).toBe("hello");
  const notes = (await agent.log()).filter((line) => line.container === "aether");
  expect(notes.map((line) => line.line)).toEqual([
    expect.stringMatching(/^The application exited with code 3\. It is started again in \d+ ms\.$/),
  ]);
});

test("an agent writes down which processes are its own", async () => {
  await using agent = await startAgent(answering("hello"));
  const { pid } = await agent.event("started");
  const record = JSON.parse(await readFile(agent.spec.recordPath, "utf8"));
  expect([record.agent.pid, record.app.pid]).toEqual([agent.pid, pid]);
  expect([isRunning(record.agent), isRunning(record.app)]).toEqual([true, true]);
  expect(isRunning({ ...record.app, startedAt: "another time" })).toBe(false);
});

test.each([
  ["ends at once with 0", "exited", "console.log('done')", {}, /ended at once with exit code 0/],
  [
    "crashes",
    "crash_loop",
    "console.error('no database'); process.exit(7)",
    {},
    /exited with code 7 before it answered/,
  ],
  ["throws", "crash_loop", "throw new Error('boom')", {}, /exited with code 1/],
  ["is killed", "oom_killed", "process.kill(process.pid, 'SIGKILL')", {}, /killed by SIGKILL/],
  [
    "never listens",
    "not_listening",
    "setInterval(() => {}, 1000)",
    { startTimeoutMs: 3_000 },
    /does not listen on port \d+: have it listen on process\.env\.PORT/,
  ],
  [
    "answers 503",
    "probe_failed",
    "require('http').createServer((q, r) => { r.statusCode = 503; r.end() }).listen(process.env.PORT)",
    { startTimeoutMs: 3_000, config: { start: "node server.js", health: { path: "/healthz" } } },
    /GET \/healthz on port \d+ answered 503/,
  ],
  [
    "speaks no HTTP",
    "probe_failed",
    "require('net').createServer((s) => s.end('hello\\n')).listen(process.env.PORT)",
    { startTimeoutMs: 3_000 },
    /is not HTTP/,
  ],
  [
    "accepts and is silent",
    "probe_failed",
    "require('net').createServer(() => {}).listen(process.env.PORT)",
    { startTimeoutMs: 3_000 },
    /was not answered/,
  ],
] as const)("an application that %s fails with %s", async (_, reason, code, settings, message) => {
  await using agent = await startAgent({ "server.js": code }, settings);
  const failed = await agent.event("failed");
  expect(failed).toMatchObject({ reason, message: expect.stringMatching(message) });
  expect(await agent.end()).toBe(0);
});

test("the last lines of the log come with the failure", async () => {
  await using agent = await startAgent({
    "server.js":
      "for (let i = 0; i < 30; i++) console.error('line ' + i); process.stdout.write('no newline'); process.exitCode = 0",
  });
  const { log } = await agent.event("failed");
  expect(log).toHaveLength(20);
  expect(log).toContain("line 29");
  expect(log).toContain("no newline");
});

test.if(process.platform === "linux")("an application on another port is told which, and what to do", async () => {
  const port = await freePort();
  await using agent = await startAgent(
    { "server.js": `require("http").createServer().listen(${port})` },
    { startTimeoutMs: 12_000 },
  );
  const { reason, message } = await agent.event("failed");
  expect(reason).toBe("not_listening");
  expect(Number(/No answer within ([\d.]+) s/.exec(message)?.[1])).toBeLessThan(12);
  expect(message).toContain(
    `listens on ${port}, but PORT is ${agent.spec.port}: use process.env.PORT, or set "port": ${port} in aether.json.`,
  );
});

test("a port that another program holds is named, and its answers do not count", async () => {
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("a stranger") });
  const port = other.port ?? 0;
  await using agent = await startAgent(
    { "server.js": `require("http").createServer().listen(${port}, "127.0.0.1")` },
    { port, config: { start: "node server.js", port } },
  );
  const failed = await agent.event("failed");
  expect(failed).toMatchObject({
    reason: "crash_loop",
    message: expect.stringContaining(`wants port ${port}, which is in use`),
  });
  expect(agent.events.some((event) => event.event === "answering")).toBe(false);
  await other.stop(true);
});

test("a crashing application is tried three times", async () => {
  await using agent = await startAgent({ "server.js": "process.exit(1)" });
  await agent.event("failed");
  expect(agent.events.filter((event) => event.event === "started")).toHaveLength(3);
});

test("a release that lies there whole is not fetched again", async () => {
  await using first = await startAgent(answering("hello"));
  await first.event("answering");
  await using second = await startAgent(answering("hello"), {
    releasesFolder: first.spec.releasesFolder,
    digest: first.spec.digest,
  });
  expect(await second.event("fetched")).toMatchObject({ reused: true, bytes: 0 });
  await second.event("answering");
});

test("an artifact that is not what was deployed never runs and leaves nothing", async () => {
  await using agent = await startAgent(answering("hello"), { digest: "0".repeat(64) });
  expect(await agent.event("failed")).toMatchObject({ reason: "digest_mismatch" });
  expect(agent.events.map((event) => event.event)).not.toContain("started");
  expect(await readdir(agent.spec.releasesFolder)).toEqual([]);
});

test("an archive that is no archive fails with unpack_failed", async () => {
  await using agent = await startAgent(answering("hello"));
  const bytes = new TextEncoder().encode("plain text");
  const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  agent.store.put(digest, bytes);
  await using other = await startAgent(answering("hello"), {
    digest,
    downloadUrl: agent.store.downloadUrl(digest),
    storageOrigins: [agent.store.storageOrigin],
  });
  expect(await other.event("failed")).toMatchObject({ reason: "unpack_failed" });
  expect(await readdir(other.spec.releasesFolder)).toEqual([]);
});

test("a flood of output neither fills the disk nor keeps the application from answering", async () => {
  const flood = `const line = "x".repeat(1000) + "\\n"; setInterval(() => { for (let i = 0; i < 20000; i++) process.stdout.write(line) }, 1);`;
  const files = {
    "server.js": `${listen} require("child_process").spawn(process.execPath, ["flood.js"], { stdio: "inherit" })`,
    "flood.js": flood,
  };
  await using agent = await startAgent(files, { graceMs: 200 });
  await agent.event("answering");
  const sizes = async () =>
    (await readdir(agent.spec.logFolder).catch(() => [])).map(
      (name) => Bun.file(`${agent.spec.logFolder}/${name}`).size,
    );
  await waitFor("the first segment to be full", async () => (await sizes()).length >= 2, { withinMs: 20_000 });
  expect((await agent.get("/")).status).toBe(200);
  expect(Math.max(...(await sizes()))).toBeLessThanOrEqual(8 * 1024 * 1024);
});

const disk = smallDiskTier();

test.if(disk.available)("a full disk is told from a broken artifact, with the place and what it needs", async () => {
  await using small = await smallDisk(2);
  const files = { ...answering("hello"), "large.bin": "x".repeat(4_000_000) };
  await using agent = await startAgent(files, { releasesFolder: join(small.path, "releases") });
  const failed = await agent.event("failed");
  expect(failed).toMatchObject({ reason: "disk_full", message: expect.stringContaining(small.path) });
  expect(await readdir(join(small.path, "releases"))).toEqual([]);
});

test.if(disk.available)("a full disk costs log lines, which are counted, and not the application", async () => {
  await using small = await smallDisk(1);
  await Bun.write(join(small.path, "ballast"), "x".repeat(1_000_000));
  const chatty = `setInterval(() => console.log("y".repeat(10000)), 10); ${answering("hello")["server.js"]}`;
  const settings = { logFolder: join(small.path, "log"), recordPath: join(small.path, "record.json") };
  await using agent = await startAgent({ "server.js": chatty }, settings);
  await agent.event("answering");
  await waitFor("the disk to be full", async () => {
    const { bavail, bsize } = await statfs(small.path);
    return bavail * bsize < 16_000;
  });
  expect(await (await agent.get("/")).text()).toBe("hello");
  await unlink(join(small.path, "ballast"));
  const lost = await waitFor("the count", async () =>
    (await agent.log().catch(() => [])).find((line) => line.container === "aether"),
  );
  expect(lost.line).toMatch(/^\d+ lines were lost: the log could not be written\.$/);
});
