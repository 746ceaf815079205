import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

let user: User;
let server: Awaited<ReturnType<typeof startServe>>;
beforeAll(async () => {
  user = await createUser();
  server = await startServe(user, { env: { AETHER_START_TIMEOUT_SECS: "3" } });
});
afterAll(async () => {
  await server.stop();
  await user[Symbol.asyncDispose]();
});

const deploy = async (name: string, files: Record<string, string>, flags: string[] = []) =>
  runJson(user, ["deploy", await writeFiles(join(user.path, name), files), "--server", server.api, ...flags]);

test.each([
  ["no package.json", { "readme.txt": "" }, 2, "not_a_project", /package\.json/],
  ["broken JSON", { "package.json": '{\n  "name": "x",\n  oops\n}' }, 2, "not_a_project", /package\.json:3:3/],
  [
    "no start file",
    { "package.json": JSON.stringify({ name: "x", main: "gone.js" }) },
    20,
    "preflight_failed",
    /gone\.js/,
  ],
  [
    "an unknown key in aether.json",
    { "package.json": packageJson("x"), "server.js": "", "aether.json": '{"prot":1}' },
    10,
    "config_invalid",
    /prot is not known/,
  ],
  ["a name that cannot be one", { "package.json": packageJson("kubernetes"), "server.js": "" }, 2, "usage", /--app/],
  [
    "a Node version nobody has",
    { "package.json": packageJson("x", { engines: { node: ">=99" } }), "server.js": "" },
    20,
    "preflight_failed",
    />=99/,
  ],
])("%s ends before a byte moves", async (name, files, exit, code, text) => {
  const { code: exited, json, stderr } = await deploy(name.replaceAll(" ", "-"), files as Record<string, string>);
  expect({ exited, code: json.code }).toEqual({ exited: exit, code });
  expect(stderr).toMatch(text);
  expect(json.deployment_id).toBeUndefined();
});

const node = (name: string, source: string) => ({ "package.json": packageJson(name), "server.js": source });

test.each([
  ["exits-at-once", "process.exit(0)", "exited", /exit/],
  ["crashes", 'console.error("boom 42"); process.exit(3)', "crash_loop", /boom 42/],
  ["never-listens", "setInterval(() => {}, 1000)", "not_listening", /PORT/],
  [
    "another-port",
    'require("net").createServer().listen(0, function () { console.log("on", this.address().port) })',
    "not_listening",
    /PORT/,
  ],
])("an application that %s ends with 20, the reason and its last lines", async (name, source, reason, text) => {
  const { code, json, stderr } = await deploy(name, node(name, source));
  expect(code).toBe(20);
  expect(json).toMatchObject({ code: "deployment_failed", failure_reason: reason, version: 1, status: "failed" });
  expect(stderr).toMatch(text);
});

test("a release that fails leaves the one before it serving", async () => {
  expect((await deploy("steady", node("steady", answering("good")))).code).toBe(0);
  const bad = await deploy("steady", node("steady", "process.exit(1)"));
  expect(bad.code).toBe(20);
  expect(await (await server.ask("steady")).text()).toBe("good");
  const { stdout } = await user.run(["status", "steady", "--server", server.api]);
  expect(stdout).toContain("steady v1 runs");
  expect(stdout).toContain("v2 failed (crash_loop)");
});

test("an application that ran and crashes again and again is not said to run", async () => {
  const marker = join(user.path, "crash-now");
  const source = `${answering("fine")};setInterval(() => require("fs").existsSync(${JSON.stringify(marker)}) && process.exit(1), 20)`;
  expect((await deploy("fragile", node("fragile", source))).code).toBe(0);
  await writeFile(marker, "");
  await waitFor("the status to tell", async () => {
    const { stdout } = await user.run(["status", "fragile", "--server", server.api]);
    return (
      stdout.includes("fragile v1 ought to run, and none of its replicas answers") && stdout.includes("restarting")
    );
  });
});

test("an application that floods its log still answers, and its log stays bounded", async () => {
  const flood = `
    const line = "x".repeat(200);
    (function write() { for (let i = 0; i < 2000; i += 1) if (!process.stdout.write(line + "\\n")) return process.stdout.once("drain", write); setImmediate(write); })();
    ${answering("still here")}`;
  const { code } = await deploy("flood", node("flood", flood));
  expect(code).toBe(0);
  expect(await (await server.ask("flood")).text()).toBe("still here");
  const { stdout } = await user.run(["logs", "flood", "--tail", "5", "--server", server.api]);
  expect(stdout.trim().split("\n")).toHaveLength(5);
  await deploy("flood", node("flood", answering("quiet now")));
});

test("a page of another site in the user's browser cannot deploy", async () => {
  const body = JSON.stringify({ app_name: "evil", digest: "a".repeat(64) });
  for (const headers of [
    { origin: "https://evil.example", "content-type": "application/json" },
    { origin: "https://evil.example", "content-type": "text/plain" },
  ]) {
    const answer = await fetch(`${server.api}/artifacts/presign`, { method: "POST", body, headers });
    expect(answer.status).toBe(403);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  }
});
