import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { packageJson } from "../harness/project.ts";

const canary = "canary-77aa41";

/** Answers `text`, its COLOR, and its process. */
const server = (text: string) => `
require("node:http").createServer((request, response) => {
  const { COLOR = "", KEY = "" } = process.env;
  response.end(JSON.stringify({ text: ${JSON.stringify(text)}, COLOR, KEY, pid: process.pid }));
}).listen(process.env.PORT);`;

const files = (text: string) => ({ "package.json": packageJson("shop"), "server.js": server(text) });

async function start() {
  const user = await createUser();
  const platform = await startServe(user);
  const folder = await writeFiles(join(user.path, "shop"), files("one"));
  const env = { AETHER_API_BASE: platform.api };
  const options = { env, cwd: folder };
  return {
    user,
    platform,
    folder,
    run: (args: string[], stdin?: string) => user.run(args, { ...options, ...(stdin === undefined ? {} : { stdin }) }),
    json: (args: string[], stdin?: string) =>
      runJson(user, args, { ...options, ...(stdin === undefined ? {} : { stdin }) }),
    answer: async () => (await platform.ask("shop")).json() as Promise<Record<string, string>>,
    async deploy(text: string) {
      await writeFile(join(folder, "server.js"), server(text));
      expect((await runJson(user, ["deploy"], options)).code).toBe(0);
    },
    async [Symbol.asyncDispose]() {
      await platform[Symbol.asyncDispose]();
      await user[Symbol.asyncDispose]();
    },
  };
}

test("a variable that is set shows in the next answer, and a rollback restores it with the code", async () => {
  await using shop = await start();
  await shop.deploy("one");
  const set = await shop.json(["env", "set", "COLOR=red"]);
  expect(set).toMatchObject({
    code: 0,
    json: { app: "shop", variables: ["COLOR"], version: 2, status: "running", url: expect.stringContaining("shop.") },
  });
  expect(await shop.answer()).toMatchObject({ text: "one", COLOR: "red" });
  await shop.deploy("two");
  await shop.json(["env", "set", "COLOR=blue"]);
  expect(await shop.answer()).toMatchObject({ text: "two", COLOR: "blue" });
  const back = await shop.json(["rollback", "v2"]);
  expect(back).toMatchObject({ code: 0, json: { version: 5, origin_version: 2, status: "running" } });
  expect(await shop.answer()).toMatchObject({ text: "one", COLOR: "red" });
  expect((await shop.json(["env", "list", "--reveal"])).json.variables).toMatchObject([
    { name: "COLOR", value: "red" },
  ]);
  expect((await shop.run(["releases"])).stdout).toContain("rollback to v2; changes COLOR");
  expect(await shop.json(["rollback", "shop", "2"])).toMatchObject({
    code: 20,
    json: { code: "conflict", message: 'v2 of "shop" is what runs now, as v5.' },
  });
  expect((await shop.json(["rollback"])).json).toMatchObject({ origin_version: 4 });
  expect(await shop.answer()).toMatchObject({ text: "two", COLOR: "blue" });
}, 180_000);

test("secrets are piped in and imported, and shown to nobody who does not ask", async () => {
  await using shop = await start();
  await shop.deploy("one");
  const pem = `-----BEGIN KEY-----\n${canary} $(id) "x"\n-----END KEY-----\n`;
  const said = [
    await shop.run(["env", "set", "KEY"], pem),
    await shop.run(["env", "list"]),
    await shop.run(["env", "set", `1KEY=${canary}`]),
    await shop.run(["env", `KEY=${canary}`]),
    await shop.run(["env", "set", `--KEY=${canary}`]),
    await shop.run(["env", "unset", `KEY=${canary}`]),
    await shop.run(["env", "set", `PORT=${canary}`]),
    await shop.run(["releases"]),
    await shop.run(["audit"]),
  ];
  expect(said.map(({ code }) => code)).toEqual([0, 0, 20, 2, 2, 2, 20, 0, 0]);
  expect(await shop.answer()).toMatchObject({ KEY: pem });
  await writeFile(join(shop.folder, "more.env"), `# a comment\nexport COLOR="two\nlines"\nCUT=a#b\n`);
  const imported = await shop.run(["env", "import", "more.env", "--no-deploy"]);
  expect(imported.stderr).toContain("CUT: what follows # is taken for a comment");
  expect((await shop.answer()).COLOR).toBe("");
  expect((await shop.json(["restart"])).code).toBe(0);
  expect(await shop.answer()).toMatchObject({ COLOR: "two\nlines", KEY: pem });
  expect((await shop.run(["env", "list", "--reveal"])).stdout).toContain(canary);
  await shop.json(["env", "unset", "COLOR", "CUT"]);
  expect(await shop.answer()).toMatchObject({ COLOR: "", KEY: pem });
  const shown = `${said.map(({ stdout, stderr }) => stdout + stderr).join("")}${shop.platform.logSoFar()}`;
  expect(shown).toContain("KEY");
  expect(shown).not.toContain(canary);
}, 180_000);

test("three replicas answer after a scale, none after another, and a locked app stays as it is", async () => {
  await using shop = await start();
  await shop.deploy("one");
  expect(await shop.json(["scale", "shop", "3"])).toMatchObject({ code: 0, json: { replicas: 3, running: 3 } });
  const pids = await Promise.all(Array.from({ length: 9 }, async () => (await shop.answer()).pid));
  expect(new Set(pids).size).toBe(3);
  expect((await shop.json(["lock", "--reason", "we migrate"])).json.locked).toMatchObject({ reason: "we migrate" });
  for (const args of [["deploy"], ["env", "set", "COLOR=red"], ["restart"], ["rollback"]]) {
    const refused = await shop.json(args);
    expect([refused.code, refused.json.code]).toEqual([20, "conflict"]);
    expect(refused.stderr).toContain("we migrate");
    expect(refused.stderr).toContain("aether unlock shop");
    expect(refused.stderr).not.toContain("pload"); // told before a byte moves
  }
  expect((await shop.json(["deploy", "--plan"])).json.changes.locked).toBe("we migrate");
  expect((await shop.run(["status"])).stdout).toContain(": we migrate\n");
  expect((await shop.json(["unlock"])).json.locked).toBeNull();
  await shop.deploy("two");
  expect((await shop.json(["status"])).json.running.replicas).toHaveLength(3);
  expect((await shop.json(["scale", "0"])).json).toMatchObject({ replicas: 0, running: 0 });
  expect((await shop.platform.ask("shop")).status).toBe(503);
  expect((await shop.run(["status"])).stdout).toContain("is stopped: it is scaled to 0");
  expect((await shop.json(["open"])).json.url).toContain("http://shop.localhost");
  expect((await shop.run(["scale", "shop", "many"])).code).toBe(2);
}, 180_000);

test("what was set and scaled before the first deploy, and before a kill, is there after it", async () => {
  await using user = await createUser();
  const first = await startServe(user);
  const folder = await writeFiles(join(user.path, "shop"), files("one"));
  const at = (api: string) => ({ env: { AETHER_API_BASE: api }, cwd: folder });
  const early = await runJson(user, ["env", "set", "COLOR=red"], at(first.api));
  expect([early.code, early.json.hint]).toEqual([20, expect.stringContaining("aether apps create shop")]);
  await runJson(user, ["apps", "create", "shop"], at(first.api));
  expect((await runJson(user, ["env", "set", "COLOR=red"], at(first.api))).json.deployment_id).toBeNull();
  expect((await runJson(user, ["scale", "shop", "2"], at(first.api))).json).toMatchObject({
    replicas: 2,
    running: null,
  });
  expect((await runJson(user, ["deploy"], at(first.api))).json).toMatchObject({ version: 1, status: "running" });
  await runJson(user, ["env", "set", "COLOR=blue", "--no-deploy"], at(first.api));
  await first.kill();
  await using second = await startServe(user);
  expect(await (await second.ask("shop")).json()).toMatchObject({ text: "one", COLOR: "red" }); // as it was released
  expect((await runJson(user, ["scale", "2"], at(second.api))).json).toMatchObject({ running: 2 });
  expect((await runJson(user, ["restart"], at(second.api))).json).toMatchObject({ version: 2, status: "running" });
  expect(await (await second.ask("shop")).json()).toMatchObject({ COLOR: "blue" });
}, 180_000);

test("a plan tells files and configuration, and changes nothing", async () => {
  await using shop = await start();
  expect((await shop.json(["deploy", "--plan"])).json.changes).toMatchObject({ against: null });
  await shop.deploy("one");
  expect((await shop.json(["deploy", "--plan"])).json.changes).toMatchObject({
    same_artifact: true,
    configuration: [],
    files: { added: [], removed: [], changed: [] },
  });
  await writeFiles(shop.folder, {
    "server.js": server("two"),
    "new.js": "",
    "aether.json": '{"port":4321,"replicas":1}',
  });
  await shop.json(["env", "set", "COLOR=red", "--no-deploy"]);
  const { code, json, stdout } = await shop.json(["deploy", "--plan"]);
  expect([code, json.changes]).toEqual([
    0,
    {
      against: { version: 1, digest: expect.any(String), status: "running" },
      same_artifact: false,
      files: { added: expect.arrayContaining(["new.js"]), removed: [], changed: expect.arrayContaining(["server.js"]) },
      packages: { added: [], removed: [], changed: [] },
      configuration: [{ name: "port", before: null, after: 4321 }],
      variables: { added: ["COLOR"], removed: [] },
      locked: null,
    },
  ]);
  expect(stdout).not.toContain("red");
  expect((await shop.run(["deploy", "--plan"])).stdout).toContain("\n  + new.js\n");
  expect((await shop.json(["releases"])).json.releases).toHaveLength(1);
}, 180_000);

test("a release that fails can take its variables back, and what ran goes on", async () => {
  await using shop = await start();
  await writeFile(
    join(shop.folder, "server.js"),
    `if (process.env.COLOR === "bad") { console.error("cannot be bad"); process.exit(1); }${server("one")}`,
  );
  expect((await shop.json(["deploy"])).code).toBe(0);
  await shop.json(["env", "set", "COLOR=good"]);
  const failed = await shop.json(["env", "set", "COLOR=bad", "NEW=1", "--rollback-on-failure"]);
  expect(failed).toMatchObject({ code: 20, json: { failure_reason: "crash_loop" } });
  expect(await shop.answer()).toMatchObject({ COLOR: "good" });
  expect((await shop.json(["env", "list", "--reveal"])).json.variables).toMatchObject([
    { name: "COLOR", value: "good" },
  ]);
  expect((await shop.json(["restart"])).code).toBe(0);
  expect(await shop.answer()).toMatchObject({ COLOR: "good" });
}, 180_000);
