import { expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { listed } from "../../harness/listed.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { type TreeNode, writeTree } from "../../harness/tree.ts";

/** What is taken of a tree whose files are named; `.aetherignore` files count as content. */
async function taken(
  files: string[],
  ignores: Record<string, string> = {},
): Promise<{ paths: string[]; excluded: string[] }> {
  await using folder = await temporaryFolder();
  const tree: Record<string, TreeNode> = Object.fromEntries(files.map((file) => [file, "x"]));
  writeTree(folder.path, { ...tree, ...ignores });
  const { paths, excluded } = listed(folder.path);
  return { paths: paths.filter((path) => !path.endsWith(".aetherignore")), excluded };
}

test("build output is taken although .gitignore hides it", async () => {
  const { paths } = await taken(["dist/main.js", "coverage/index.html"], { ".gitignore": "dist/\ncoverage/\n" });
  expect(paths).toEqual([".gitignore", "coverage/index.html", "dist/main.js"]);
});

test("secrets, history and state are left out and named, wherever they lie", async () => {
  const { paths, excluded } = await taken([
    ".DS_Store",
    ".aether/app.json",
    ".env",
    ".env.local",
    ".envrc",
    ".git/HEAD",
    ".hg/store",
    ".npmrc",
    ".svn/entries",
    ".yarn/install-state.gz",
    ".yarn/releases/yarn.cjs",
    "certs/server.key",
    "certs/server.pem",
    "node_modules/express/index.js",
    "packages/a/.env",
    "packages/a/index.js",
    "server.js",
  ]);
  expect(paths).toEqual([".yarn/releases/yarn.cjs", "certs/server.key", "packages/a/index.js", "server.js"]);
  expect(excluded).toEqual([
    ".DS_Store",
    ".aether/",
    ".env",
    ".env.local",
    ".envrc",
    ".git/",
    ".hg/",
    ".npmrc",
    ".svn/",
    ".yarn/install-state.gz",
    "certs/server.pem",
    "node_modules/",
    "packages/a/.env",
  ]);
});

test("earlier artifacts of --pack-only are left out and named, whatever a line says", async () => {
  const earlier = [`app-${"0a".repeat(32)}.manifest.json`, `app-${"0a".repeat(32)}.tar.gz`];
  const others = ["app-0a.tar.gz", `app-${"0a".repeat(32)}.tar.gz.txt`, `node_modules/a/${earlier[0]}`];
  const { paths, excluded } = await taken([...earlier, `out/${earlier[1]}`, ...others], {
    ".aetherignore": "!app-*\n",
  });
  expect(paths).toEqual([...others.slice(0, 2), "out/"]);
  expect(excluded).toEqual([...earlier, "node_modules/", `out/${earlier[1]}`]);
});

test("a line that spells a secret out takes it in", async () => {
  const ignore = "!.env.production\n!certs/*.pem\n";
  const { paths, excluded } = await taken([".env", ".env.production", "certs/ca.pem", "other.pem"], {
    ".aetherignore": ignore,
  });
  expect(paths).toEqual([".env.production", "certs/ca.pem"]);
  expect(excluded).toEqual([".env", "other.pem"]);
});

test("a broad negation takes no secret in", async () => {
  const ignore = "*\n!dist/\n!dist/**\n!package.json\n";
  const files = ["dist/.env", "dist/main.js", "dist/key.pem", "package.json", "src/main.ts"];
  expect(await taken(files, { ".aetherignore": ignore })).toEqual({
    paths: ["dist/main.js", "package.json"],
    excluded: ["dist/.env", "dist/key.pem"],
  });
});

test("the application's own .aether and node_modules cannot be asked for", async () => {
  const ignore = "!.aether/\n!node_modules/\n!.Aether\n";
  const { paths, excluded } = await taken([".aether/app.json", "node_modules/a/index.js", "a.js"], {
    ".aetherignore": ignore,
  });
  expect(paths).toEqual(["a.js"]);
  expect(excluded).toEqual([".aether/", "node_modules/"]);
});

test("node_modules deeper in the folder are files like others: build output may bring its own", async () => {
  const files = [".next/standalone/node_modules/next/index.js", ".next/standalone/node_modules/.cache/x", "a.js"];
  const { paths, excluded } = await taken(files);
  expect(paths).toEqual([".next/standalone/node_modules/next/index.js", "a.js"]);
  expect(excluded).toEqual([".next/standalone/node_modules/.cache/"]);
});

test("lines stop at node_modules unless they name something in it", async () => {
  await using folder = await temporaryFolder();
  const [app, modules] = [join(folder.path, "app"), join(folder.path, "modules")];
  writeTree(app, {
    ".aetherignore": "src/\nnode_modules/\nnode_modules/**\nnode_modules/aws-sdk/dist/\n",
    "src/a.ts": "",
    "b.js": "",
  });
  writeTree(modules, {
    "node_modules/aws-sdk/dist/huge.js": "",
    "node_modules/aws-sdk/index.js": "",
    "node_modules/debug/src/index.js": "",
  });
  const { paths } = listed(app, modules);
  expect(paths).toEqual(["node_modules/aws-sdk/index.js", "node_modules/debug/src/index.js", ".aetherignore", "b.js"]);
});

test("dependencies keep certificates, and lose what package managers leave behind", async () => {
  await using folder = await temporaryFolder();
  const state = [
    ".modules.yaml",
    ".package-lock.json",
    ".yarn-integrity",
    ".yarn-state.yml",
    ".pnpm-workspace-state-v1.json",
  ];
  const tree = Object.fromEntries(
    [...state, ".cache/x", "grpc/roots.pem", "grpc/.env.example", "grpc/.cache/y", "grpc/.npmrc"].map((name) => [
      `node_modules/${name}`,
      "x",
    ]),
  );
  writeTree(join(folder.path, "modules"), { ...tree, "package.json": "{}", ".npmrc": "secret" });
  writeTree(join(folder.path, "app"), { "a.js": "" });
  const { paths, excluded } = listed(join(folder.path, "app"), join(folder.path, "modules"));
  expect(paths).toEqual(["node_modules/grpc/.cache/y", "node_modules/grpc/roots.pem", "a.js"]);
  expect(excluded).toEqual(
    [...state, ".cache/", "grpc/.env.example", "grpc/.npmrc"].map((name) => `node_modules/${name}`).sort(),
  );
});

const withGit: [string, Record<string, string>][] = [
  ["comments, blanks and escapes", { "": "# no\n\n\\#a\n\\!b\nc\\ \n" }],
  ["a slash anchors", { "": "/a\nd/a\n" }],
  ["folders only", { "": "a/\nb/\n" }],
  ["stars", { "": "*.log\nd/*/x\n**/deep\ne/**\n" }],
  ["the last match wins", { "": "*.log\n!keep.log\nd/keep.log\n" }],
  ["nothing comes back from a folder that is out", { "": "d/\n!d/keep.log\n" }],
  ["contents can come back", { "": "d/*\n!d/keep.log\n" }],
  ["case counts", { "": "A\nKEEP.log\n" }],
  ["question marks and classes", { "": "?.log\n[ab]\n" }],
  ["a nested file overrules", { "": "*.log\n", d: "!keep.log\n" }],
  ["a nested folder comes back", { "": "deep\n", d: "!deep\n" }],
  ["a nested anchor", { d: "/a\ne/x\n" }],
  ["nested patterns reach below only", { d: "x\n" }],
  ["a folder with special characters", { "sp[e]ci*l": "a\n!keep.log\n*.log\n" }],
  ["Windows line ends", { "": "a\r\n*.log\r\n" }],
];

test.each(withGit)("git understands it alike: %s", async (_, ignores) => {
  await using folder = await temporaryFolder();
  const names = ["a", "b", "#a", "!b", "A", "keep.log", "z.log", "x", "deep/x"];
  const folders = ["", "d/", "d/e/", "sp[e]ci*l/"];
  const tree = Object.fromEntries(folders.flatMap((at) => names.map((name) => [at + name, "x"])));
  writeTree(folder.path, tree);
  for (const [at, text] of Object.entries(ignores)) writeTree(folder.path, { [join(at, ".aetherignore")]: text });
  const ours = listed(folder.path)
    .files.map(({ path }) => path)
    .filter((path) => !path.endsWith(".aetherignore"));
  for (const at of Object.keys(ignores))
    renameSync(join(folder.path, at, ".aetherignore"), join(folder.path, at, ".gitignore"));
  await $`git init -q`.cwd(folder.path);
  const { stdout } = await $`git -c core.excludesFile=/dev/null ls-files -z -o --exclude-standard`
    .cwd(folder.path)
    .quiet();
  const theirs = stdout
    .toString()
    .split("\0")
    .filter((path) => path !== "" && !path.endsWith(".gitignore"));
  expect(ours.sort()).toEqual(theirs.sort());
});
