import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildCommand, runBuild } from "../../../src/artifact/install/build.ts";
import { readProject } from "../../../src/artifact/project/project.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { type Files, folderOf } from "../../harness/files.ts";
import { pathWith } from "../../harness/fixture-app.ts";

const quiet = { env: process.env, say: () => {} };

test("the build of aether.json runs in the folder, with its own tools on PATH", async () => {
  await using app = await folderOf({
    "package.json": { scripts: { build: "exit 1" } },
    "aether.json": { build: "sh node_modules/.bin/maker" },
    "node_modules/.bin/maker": "mkdir dist && echo made > dist/server.js",
  });
  await runBuild(await readProject(app.path), quiet);
  expect(existsSync(join(app.path, "dist/server.js"))).toBe(true);
});

test.each<[string, Files, string[], string[]]>([
  ["npm", {}, ["npm"], ["npm", "run", "build"]],
  ["pnpm where it is there", { "pnpm-lock.yaml": "" }, ["npm", "pnpm"], ["pnpm", "run", "build"]],
  ["npm where pnpm is not", { "pnpm-lock.yaml": "" }, ["npm"], ["npm", "run", "build"]],
])("scripts.build runs with %s", async (_, files, programs, argv) => {
  await using app = await folderOf({ "package.json": { scripts: { build: "tsc" } }, ...files });
  await using path = await pathWith(...programs);
  expect(buildCommand(await readProject(app.path), { PATH: path.path }).argv).toEqual(argv);
});

test("a build that fails shows its last lines", async () => {
  await using app = await folderOf({ "package.json": { aether: { build: "echo type error >&2; exit 2" } } });
  const lines: string[] = [];
  const project = await readProject(app.path);
  const error = await failureOf(runBuild(project, { ...quiet, onOutput: (line) => void lines.push(line) }));
  expect(error).toMatchObject({ code: "build_failed", exitCode: 20 });
  expect(error.message).toContain("type error");
  expect(error.hint).toContain("npm install");
  expect(lines).toEqual(["type error"]);
});

test("nothing to build is an error that says what to add", async () => {
  await using app = await folderOf({ "package.json": {} });
  const error = await failureOf(readProject(app.path).then((project) => runBuild(project, quiet)));
  expect(error.message).toContain("no build script");
});
