import { expect, test } from "bun:test";
import { join } from "node:path";
import { readProject } from "../../../src/artifact/project/project.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { folderOf } from "../../harness/files.ts";

test("a project is read with its settings", async () => {
  await using folder = await folderOf({
    "package.json": { name: "shop", scripts: { start: "node x.js", bad: 1 } },
    "aether.json": {
      $schema: "x",
      port: 80,
      health: { path: "/up" },
      dev: { build: "tsc" },
      resources: { cpu: "500m" },
    },
  });
  const project = await readProject(folder.path);
  expect(project.packageJson).toMatchObject({ name: "shop", scripts: { start: "node x.js" }, dependencies: {} });
  expect(project.settings).toMatchObject({ port: 80, health: { path: "/up" }, resources: { cpu: "500m" } });
});

test("settings may stand in package.json", async () => {
  await using folder = await folderOf({ "package.json": { aether: { start: "node a.js" } } });
  expect((await readProject(folder.path)).settings.start).toBe("node a.js");
});

test("a byte order mark is no error", async () => {
  await using folder = await folderOf({ "package.json": '\uFEFF{"name":"a"}' });
  expect((await readProject(folder.path)).packageJson.name).toBe("a");
});

test("a folder without package.json is not a project, and the hint points to the one next to it", async () => {
  await using folder = await folderOf({ "api/package.json": {}, "docs/x.md": "" });
  const error = await failureOf(readProject(folder.path));
  expect(error).toMatchObject({ code: "not_a_project", exitCode: 2 });
  expect(error.hint).toContain(join(folder.path, "api"));
  expect((await failureOf(readProject(join(folder.path, "docs")))).hint).toContain("npm init");
});

test("a folder that is missing, or a file, is not a project", async () => {
  await using folder = await folderOf({ "server.js": "" });
  expect(await failureOf(readProject(join(folder.path, "nope")))).toMatchObject({ code: "not_a_project" });
  expect((await failureOf(readProject(join(folder.path, "server.js")))).hint).toContain(`aether deploy ${folder.path}`);
});

test("broken JSON names the file, line and column", async () => {
  await using folder = await folderOf({ "package.json": '{\n  "name": "a",\n  "version" "1"\n}' });
  const error = await failureOf(readProject(folder.path));
  expect(error.message).toStartWith("package.json:3:13: broken JSON");
  expect(error.exitCode).toBe(2);
});

test.each([
  ["{} trailing", "package.json:1:4"],
  ["", "package.json:1:1"],
  ["[]", "must hold a JSON object"],
  ['{"a": 1,}', "package.json:1:9"],
])("package.json %p is refused", async (text, message) => {
  await using folder = await folderOf({ "package.json": text });
  expect((await failureOf(readProject(folder.path))).message).toContain(message);
});

test("settings in two places are an error", async () => {
  await using folder = await folderOf({ "package.json": { aether: {} }, "aether.json": {} });
  expect((await failureOf(readProject(folder.path))).message).toContain("Both");
});

test("all bad settings are reported together, unknown keys with the nearest", async () => {
  await using folder = await folderOf({
    "package.json": {},
    "aether.json": {
      strt: "node x",
      port: "80",
      node: "garbage",
      health: { pth: "/x", path: "up" },
      replicas: 1.5,
      resources: { cpu: true, disk: 1 },
      dev: [],
      start: "",
    },
  });
  const error = await failureOf(readProject(folder.path));
  expect(error).toMatchObject({ code: "config_invalid", exitCode: 10 });
  expect(error.message.split("\n").toSorted()).toEqual([
    "  dev must be an object, not a list.",
    '  health.path must be a path that starts with "/".',
    '  health.pth is not known. Did you mean "health.path"?',
    '  node must be a range of versions such as "20" or ">=20 <25".',
    '  port must be a number, not text ("80").',
    "  replicas must be a whole number, not 1.5.",
    '  resources.cpu must be text such as "500m" or "256Mi", or a number.',
    "  resources.disk is not known. Known are cpu, memory.",
    "  start must not be empty.",
    '  strt is not known. Did you mean "start"?',
    "aether.json cannot be used:",
  ]);
});

test("numbers out of range say the limit", async () => {
  await using folder = await folderOf({ "package.json": { aether: { port: 70000, replicas: -1 } } });
  const { message } = await failureOf(readProject(folder.path));
  expect(message).toContain("port must be at most 65535.");
  expect(message).toContain("replicas must be at least 0.");
});
