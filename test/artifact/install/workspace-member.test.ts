import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { installDependencies } from "../../../src/artifact/install/install.ts";
import { readProject } from "../../../src/artifact/project/project.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { type Files, folderOf } from "../../harness/files.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

/** Without any program on PATH, what gets past the check fails by the missing Node.js. */
async function refusalOf(files: Files, { member = "packages/web", repository = "" } = {}) {
  await using root = await folderOf(files);
  await using cache = await temporaryFolder();
  if (repository !== "") await mkdir(join(root.path, repository, ".git"), { recursive: true });
  const project = await readProject(join(root.path, member));
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const env = { PATH: "/nonexistent" };
  const failure = await failureOf(installDependencies({ project, cacheFolder: cache.path, env, say }));
  return { ...failure.toJSON(), said };
}

const web = { "packages/web/package.json": { name: "web", dependencies: { "@mono/lib": "*" } } };
const refused = { code: "preflight_failed", message: expect.stringContaining("workspace"), said: [] };

test.each<[string, Files]>([
  ["package.json", { "package.json": { workspaces: ["packages/*"] } }],
  ["package.json, with a dot and a slash", { "package.json": { workspaces: ["./packages/web/"] } }],
  ["package.json, as an object", { "package.json": { workspaces: { packages: ["packages/**"] } } }],
  ["pnpm-workspace.yaml", { "package.json": {}, "pnpm-workspace.yaml": "packages:\n  - 'packages/*'\n" }],
])("a package of a workspace above is refused before anything is installed: %s", async (_, root) => {
  const refusal = await refusalOf({ ...root, ...web, "package-lock.json": {} }, { repository: "." });
  expect(refusal).toMatchObject(refused);
  expect(refusal).toMatchObject({ hint: expect.stringContaining("its own lockfile") });
});

test("workspace: dependencies outside of a workspace are refused, with a lockfile too", async () => {
  const files = { "package.json": { dependencies: { "@mono/lib": "workspace:*" } }, "pnpm-lock.yaml": "" };
  const refusal = await refusalOf(files, { member: "." });
  expect(refusal).toMatchObject({ ...refused, message: expect.stringContaining("@mono/lib@workspace:*") });
});

test.each<[string, Files, { repository?: string }]>([
  ["in no pattern", { "package.json": { workspaces: ["apps/*"] }, ...web }, {}],
  ["taken back by a pattern", { "package.json": { workspaces: ["packages/*", "!packages/web"] }, ...web }, {}],
  [
    "in a repository of its own",
    { "package.json": { workspaces: ["packages/*"] }, ...web },
    { repository: "packages" },
  ],
  ["below a package.json that nobody can read", { "package.json": "{", "pnpm-workspace.yaml": "a: [", ...web }, {}],
  [
    "with its own lockfile",
    { "package.json": { workspaces: ["**"] }, ...web, "packages/web/package-lock.json": {} },
    {},
  ],
])("a folder is no package of a workspace: %s", async (_, files, options) => {
  expect(await refusalOf(files, options)).toMatchObject({ code: "install_failed" });
});
