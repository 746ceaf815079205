import { expect, test } from "bun:test";
import { readdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { packFolder } from "../../../src/artifact/pack/pack.ts";
import { sampleTree } from "../../harness/sample-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { writeTree } from "../../harness/tree.ts";

/** Packs `app` with its own node_modules and names the digest. */
async function digestOf(
  app: string,
  options: { workers?: number; cacheFolder?: string; compressionLevel?: number } = {},
) {
  await using out = await temporaryFolder();
  const appConfig = { start: "node server.js", port: 3000 };
  return (await packFolder({ appFolder: app, dependenciesFolder: app, appConfig, outFolder: out.path, ...options }))
    .digest;
}

test("the digest depends on nothing but the tree", async () => {
  await using folder = await temporaryFolder();
  const tree = sampleTree();
  const [one, two] = [join(folder.path, "one"), join(folder.path, "elsewhere/two")];
  writeTree(one, tree);
  // another order of creation, other times, another umask
  const before = process.umask(0o077);
  writeTree(two, Object.fromEntries(Object.entries(tree).reverse()));
  process.umask(before);
  for (const path of readdirSync(two, { recursive: true, encoding: "utf8" })) {
    if (!path.includes(".bin/")) utimesSync(join(two, path), 1_000_000 + path.length, 2_000_000 + path.length);
  }
  const digest = await digestOf(one);
  expect(await digestOf(two)).toBe(digest);
  expect(await digestOf(two, { workers: 1 })).toBe(digest);
  expect(await digestOf(two, { workers: 5 })).toBe(digest);
});

test("the digest does not depend on what the cache holds", async () => {
  await using folder = await temporaryFolder();
  const [app, cacheFolder] = [join(folder.path, "app"), join(folder.path, "cache")];
  writeTree(app, sampleTree());
  const digest = await digestOf(app);
  expect(await digestOf(app, { cacheFolder })).toBe(digest);
  expect(await digestOf(app, { cacheFolder })).toBe(digest);
  for (const [index, name] of readdirSync(cacheFolder).entries()) if (index % 2 === 0) rmSync(join(cacheFolder, name));
  expect(await digestOf(app, { cacheFolder })).toBe(digest);
  expect(await digestOf(app, { cacheFolder, compressionLevel: 1 })).not.toBe(digest);
  expect(await digestOf(app, { cacheFolder })).toBe(digest);
});

test.each([".", "out"])("packing into the packed folder (%s) again gives the same digest", async (out) => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "server.js": "1" });
  const outFolder = join(folder.path, out);
  const options = { appFolder: folder.path, outFolder, appConfig: { start: "node server.js" } };
  const first = await packFolder(options);
  await Bun.write(first.path.replace(".tar.gz", ".manifest.json"), JSON.stringify(first.manifest));
  const second = await packFolder(options);
  expect(first.manifest).toEqual(second.manifest);
  expect(second.digest).toBe(first.digest);
});

test("the digest does not depend on the locale, the time zone or the working folder", async () => {
  await using folder = await temporaryFolder();
  const app = join(folder.path, "app");
  writeTree(app, { "Istanbul.js": "1", "istanbul.js": "2", "ä.js": "3", "z.js": "4", "node_modules/i/I.js": "5" });
  const script = join(import.meta.dir, "..", "..", "..", "scripts", "benchmarks", "pack-once.ts");
  const pack = async (env: Record<string, string>, cwd: string) => {
    const { stdout } = await $`${process.execPath} ${script} ${app} ${join(folder.path, "out")} -`
      .cwd(cwd)
      .env({ ...process.env, ...env })
      .quiet();
    return JSON.parse(stdout.toString()).digest;
  };
  const digest = await pack({ LC_ALL: "C", TZ: "UTC" }, "/");
  expect(await pack({ LC_ALL: "tr_TR.UTF-8", TZ: "Asia/Tokyo" }, folder.path)).toBe(digest);
});

test("this tree has this digest: a change of the format must be meant", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, {
    "server.js": "console.log(1)\n",
    "bin/run": { executable: "#!/bin/sh\n" },
    "node_modules/a/index.js": "1\n",
  });
  expect(await digestOf(folder.path)).toBe("ca8050114dccf3b0e6c40af55e8e032947471c4633cb37947aeb80bc24baad9f");
});

test("one changed byte, name, mode or link changes the digest", async () => {
  await using folder = await temporaryFolder();
  const base = { "a.js": "1", "b.js": "2", link: { link: "a.js" } };
  const variants = [
    base,
    { ...base, "a.js": "3" },
    { "c.js": "1", "b.js": "2", link: { link: "b.js" } },
    { ...base, "a.js": { executable: "1" } },
    { ...base, link: { link: "b.js" } },
    { ...base, empty: null },
  ];
  const digests = new Set<string>();
  for (const [index, tree] of variants.entries()) {
    writeTree(join(folder.path, String(index)), tree);
    digests.add(await digestOf(join(folder.path, String(index))));
  }
  expect(digests.size).toBe(variants.length);
});

test("a package that is added changes only the members near it", async () => {
  await using folder = await temporaryFolder();
  const [app, cacheFolder] = [join(folder.path, "app"), join(folder.path, "cache")];
  writeTree(app, sampleTree());
  await digestOf(app, { cacheFolder });
  writeTree(app, { "node_modules/package-30-more/index.js": "new" });
  await using out = await temporaryFolder();
  const appConfig = { start: "node server.js", port: 3000 };
  const { members } = await packFolder({
    appFolder: app,
    dependenciesFolder: app,
    appConfig,
    outFolder: out.path,
    cacheFolder,
  });
  expect(members.total - members.reused).toBeLessThanOrEqual(4); // its own, the metadata, the end, and one neighbour
});
