import { expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import * as tar from "tar";
import { packFolder } from "../../../src/artifact/pack/pack.ts";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { sampleTree } from "../../harness/sample-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { type TreeNode, writeTree } from "../../harness/tree.ts";

/** What a folder holds: kind, mode, path, target, and the content's hash. */
async function listing(root: string): Promise<string[]> {
  const found =
    await $`find . -mindepth 1 -path ./.aether -prune -o -type d -printf 'd %p\n' -o -printf '%y %m %p %l\n'`
      .cwd(root)
      .quiet();
  const sums = await $`find . -path ./.aether -prune -o -type f -print0 | xargs -0 -r sha256sum`.cwd(root).quiet();
  return `${found.text()}${sums.text()}`.split("\n").sort();
}

/** Packs a tree and unpacks it three times: by our own unpacker, GNU tar and node-tar. */
async function roundTrip(root: string, tree: Record<string, TreeNode>) {
  const app = join(root, "app");
  writeTree(root, { app: null, gnu: null, node: null });
  writeTree(app, tree);
  const { path, digest } = await packFolder({
    appFolder: app,
    dependenciesFolder: app,
    appConfig: { start: "x" },
    outFolder: root,
  });
  await unpackArtifact({ path, digest, targetFolder: join(root, "ours") });
  await $`tar xzf ${path} -C ${join(root, "gnu")}`.quiet();
  await tar.x({ file: path, cwd: join(root, "node"), strict: true });
  return Promise.all(["app", "ours", "gnu", "node"].map((name) => listing(join(root, name))));
}

const odd: Record<string, TreeNode> = {
  "[id]/(group)/@slot/$param.js": "1",
  "a b/c'd\"e.js": "2",
  "größe/日本語/\u{1f600}.txt": "3",
  [`${"long/".repeat(40)}${"n".repeat(200)}.js`]: "4",
  [`${"x".repeat(155)}/${"y".repeat(100)}`]: "5",
  [`${"x".repeat(156)}/${"y".repeat(99)}`]: "6",
  [`${"é".repeat(127)}`]: "7",
  ["a".repeat(100)]: "8",
  ["b".repeat(101)]: "9",
  "-rf": "10",
  "...x": "11",
  "#hash#": "12",
  "link-ä": { link: "größe/日本語" },
  far: { link: `${"long/".repeat(40)}${"n".repeat(200)}.js` },
  "deep/empty/folder": null,
  "dots/up": { link: "../a b" },
};

test("three readers make the packed tree again, odd names and long ones too", async () => {
  await using folder = await temporaryFolder();
  const { ".env": _, "node_modules/.package-lock.json": __, ...tree } = sampleTree();
  const [packed, ...unpacked] = await roundTrip(folder.path, { ...tree, ...odd });
  for (const read of unpacked) expect(read).toEqual(packed as string[]);
});

const plain = ["a", "B", "é", "日", "~", "%", "-", "#", "\u{1f600}", "x y", "[id]", "e\u0301"];
const special = [
  ".",
  "..",
  " ",
  "\u202e",
  "\\",
  "C:",
  "\u0007",
  "\ufffd",
  "\u00a0",
  "n".repeat(90),
  "*",
  "\u0085",
  "\u2028",
];
const pieces = [...plain, ...plain, ...plain, ...special];

test("whatever the packer accepts, the unpacker accepts: 120 trees of random names", async () => {
  let state = 42;
  const next = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const name = (): string => {
    const text = Array.from({ length: 1 + next(3) }, () => pieces[next(pieces.length)]).join("");
    return text === "." || text === ".." ? "dot" : text;
  };
  const outcomes = { accepted: 0, refused: 0 };
  for (let round = 0; round < 120; round += 1) {
    await using folder = await temporaryFolder();
    const names = Array.from({ length: 2 }, () => Array.from({ length: 1 + next(3) }, name).join("/"));
    const tree: Record<string, TreeNode> = {};
    for (const path of names)
      if (!names.some((other) => other !== path && (other.startsWith(`${path}/`) || path.startsWith(`${other}/`))))
        tree[path] = String(round);
    const [first = "", second = ""] = names;
    const targets = [first, second, first, second, "../x", name(), `./${name()}/..`, `${name()}/../${name()}`];
    tree.link = { link: targets[next(targets.length)] ?? "" };
    if (Object.keys(tree).some((path) => path.startsWith("link/"))) continue;
    writeTree(join(folder.path, "app"), tree);
    try {
      const { path, digest } = await packFolder({
        appFolder: join(folder.path, "app"),
        appConfig: { start: "x" },
        outFolder: folder.path,
      });
      await unpackArtifact({ path, digest, targetFolder: join(folder.path, "ours") });
      expect(await listing(join(folder.path, "ours"))).toEqual(await listing(join(folder.path, "app")));
      outcomes.accepted += 1;
    } catch (error) {
      if (!(error instanceof AetherError)) throw error;
      expect(error).toMatchObject({ code: "preflight_failed" }); // the unpacker's refusals have another code
      outcomes.refused += 1;
    }
  }
  expect(Math.min(outcomes.accepted, outcomes.refused)).toBeGreaterThan(12);
}, 180_000);
