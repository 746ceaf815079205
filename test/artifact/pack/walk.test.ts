import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { $ } from "bun";
import { printable } from "../../../src/artifact/pack/entry-name.ts";
import { byBytes } from "../../../src/artifact/pack/walk.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { listed } from "../../harness/listed.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { type TreeNode, writeTree } from "../../harness/tree.ts";

async function refusal(tree: Record<string, TreeNode>): Promise<AetherError> {
  await using folder = await temporaryFolder();
  writeTree(folder.path, tree);
  return refusalOf(folder.path);
}

function refusalOf(app: string, modules?: string): AetherError {
  try {
    listed(app, modules);
  } catch (error) {
    if (error instanceof AetherError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("paths are sorted by their bytes, folders as if with their slash", async () => {
  await using folder = await temporaryFolder();
  const files = ["a-b", "a/x", "a.js", "a0", "B", "é", "z", "\u{1f600}", "\uff5e"];
  writeTree(folder.path, Object.fromEntries(files.map((file) => [file, "x"])));
  const expected = [...files].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(listed(folder.path).paths).toEqual(expected);
  expect([...files].sort(byBytes)).toEqual(expected);
});

test("dependencies come by package, a package before those inside it", async () => {
  await using folder = await temporaryFolder();
  const paths = [
    "node_modules/.bin/a",
    "node_modules/.pnpm/x@1/node_modules/x/index.js",
    "node_modules/@s/p/index.js",
    "node_modules/a/lib/x.js",
    "node_modules/a/z.js",
    "node_modules/a/node_modules/b/index.js",
    "node_modules/a-b/index.js",
    "packages/web/node_modules/c/index.js",
  ];
  writeTree(join(folder.path, "modules"), {
    ...Object.fromEntries(paths.map((path) => [path, "x"])),
    "packages/web/package.json": "{}",
  });
  writeTree(join(folder.path, "app"), {
    "packages/web/index.js": "x",
    "packages/web/node_modules/c/stale.js": "x",
    "server.js": "x",
  });
  const { paths: found, groups, files } = listed(join(folder.path, "app"), join(folder.path, "modules"));
  expect(found).toEqual([
    ...paths.slice(0, 3),
    paths[6],
    ...paths.slice(3, 6),
    paths[7],
    "packages/web/index.js",
    "server.js",
  ] as string[]);
  expect(groups).toEqual([
    "node_modules/.bin/",
    "node_modules/.pnpm/x@1/node_modules/x/",
    "node_modules/@s/p/",
    "node_modules/a-b/",
    "node_modules/a/",
    "node_modules/a/node_modules/b/",
    "packages/web/node_modules/c/",
    "",
  ]);
  expect(files.map(({ path }) => path)).toEqual([...found].sort(byBytes));
});

test("an empty folder is taken, and so is one whose files are all left out", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, {
    uploads: null,
    "logs/a.log": "x",
    ".aetherignore": "logs/*\ntmp/\n",
    "tmp/x": "x",
    "a/b/c": null,
  });
  expect(listed(folder.path).paths).toEqual([".aetherignore", "a/b/c/", "logs/", "uploads/"]);
});

test.each([
  ["a control character", "bad\u0007name", "control character"],
  ["a backslash", "a\\b.js", "backslash"],
  ["reversed text", "a\u202egnp.js", "reverses text"],
  ["a dot at the end", "lib./x.js", "ends with a dot"],
  ["a space at the end", "x ", "ends with a dot or a space"],
  ["a drive letter", "C:x", "drive letter"],
])("a name with %s is refused with its path and the way out", async (_, name, why) => {
  const error = await refusal({ [name]: "x" });
  expect(error.code).toBe("preflight_failed");
  expect(error.message).toContain(why);
  expect(error.hint).toContain(".aetherignore");
  expect(error.message).toBe(printable(error.message));
});

test("a name that is no UTF-8 is refused, and a real U+FFFD is not", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "ok-\ufffd.txt": "x" });
  expect(listed(folder.path).paths).toEqual(["ok-\ufffd.txt"]);
  writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/bad-`), Buffer.from([0xff])]), "x");
  expect(refusalOf(folder.path).message).toContain("not valid UTF-8");
});

test("two Unicode forms of one name are refused, in one folder or as folders", async () => {
  const twins = { "caf\u00e9.txt": "1", "cafe\u0301.txt": "2" };
  expect((await refusal(twins)).message).toContain("another Unicode form");
  expect((await refusal({ "caf\u00e9/a": "1", "cafe\u0301/b": "2" })).message).toContain("another Unicode form");
});

test("a bad name that .aetherignore leaves out harms nobody", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "bad\\name": "x", ".aetherignore": "bad*\n" });
  expect(listed(folder.path).paths).toEqual([".aetherignore"]);
});

test("paths that are too long or too deep are refused", async () => {
  expect((await refusal({ [`${"d/".repeat(130)}x`]: "x" })).message).toContain("deeper than 128");
  const long = Array.from({ length: 12 }, () => "n".repeat(200)).join("/");
  expect((await refusal({ [long]: "x" })).message).toContain("longer than 2048 bytes");
});

test.each([
  ["an absolute one", "/etc/passwd", "absolute"],
  ["one that leaves the folder", "../outside", "leads out"],
  ["one that leaves it by a detour", "lib/../../outside", "leads out"],
  ["one to the folder itself", ".", "whole folder"],
  ["one to itself", "link", "loop"],
  ["one with a backslash", "a\\b", "character"],
])("a link is refused: %s", async (_, target, why) => {
  const error = await refusal({ "lib/x.js": "x", link: { link: target } });
  expect(error).toMatchObject({ code: "preflight_failed" });
  expect(error.message).toContain('"link"');
  expect(error.message).toContain(why);
});

test("a link that leaves only through another link is refused", async () => {
  const error = await refusal({ "d/e/f.js": "x", "d/e/up": { link: ".." }, out: { link: "d/e/up/../.." } });
  expect(error.message).toContain('"out"');
  expect(error.message).toContain("leads out");
});

test("links that stay inside are taken, also to nothing", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, {
    "a/b.js": "x",
    "a/up": { link: "../c.js" },
    "c.js": "x",
    gone: { link: "a/none" },
    dir: { link: "./a" },
  });
  expect(listed(folder.path).paths).toEqual(["a/b.js", "a/up", "c.js", "dir", "gone"]);
});

test("pipes and sockets are refused with the way out", async () => {
  await using folder = await temporaryFolder();
  await $`mkfifo ${join(folder.path, "pipe")}`;
  expect(refusalOf(folder.path).message).toContain('"pipe": it is a named pipe');
  await using other = await temporaryFolder();
  const server = createServer().listen(join(other.path, "app.sock"));
  await new Promise((resolve) => server.once("listening", resolve));
  expect(refusalOf(other.path).message).toContain('"app.sock": it is a socket');
  server.close();
});

test("the owner's right to execute decides, and nothing else of the mode", async () => {
  await using folder = await temporaryFolder();
  for (const mode of [0o700, 0o755, 0o4711, 0o600, 0o666, 0o477]) {
    writeFileSync(join(folder.path, mode.toString(8)), "x");
    chmodSync(join(folder.path, mode.toString(8)), mode);
  }
  const executable = listed(folder.path)
    .files.filter((file) => file.executable)
    .map(({ path }) => path);
  expect(executable).toEqual(["4711", "700", "755"]);
});

test("a folder that does not exist is named", async () => {
  await using folder = await temporaryFolder();
  const error = refusalOf(join(folder.path, "none"));
  expect(error.code).toBe("not_a_project");
  expect(error.message).toContain("none");
});

test("a file in the way of node_modules is no folder of dependencies", async () => {
  await using folder = await temporaryFolder();
  mkdirSync(join(folder.path, "modules"));
  writeTree(folder.path, { "modules/node_modules": "x", "app/a.js": "x" });
  expect(listed(join(folder.path, "app"), join(folder.path, "modules")).paths).toEqual(["a.js"]);
});
