import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type PackOptions, packFolder } from "../../../src/artifact/pack/pack.ts";
import { isSettled } from "../../../src/artifact/pack/pack-memory.ts";
import type { TreeEntry } from "../../../src/artifact/pack/tree-entry.ts";
import { sampleTree, words } from "../../harness/sample-tree.ts";
import { smallDisk, smallDiskTier } from "../../harness/small-disk.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { writeTree } from "../../harness/tree.ts";
import { waitFor } from "../../harness/wait-for.ts";

/** An application, a cache, and `pack`, which packs it with the cache and `fresh`, which does without. */
async function setUp(tree = sampleTree()) {
  const folder = await temporaryFolder();
  const [app, cache] = [join(folder.path, "app"), join(folder.path, "cache")];
  writeTree(app, tree);
  await settle();
  const options = {
    appFolder: app,
    dependenciesFolder: app,
    appConfig: { start: "node server.js" },
    outFolder: join(folder.path, "out"),
  };
  return {
    app,
    cache,
    options,
    pack: (more: Partial<PackOptions> = {}) => packFolder({ ...options, cacheFolder: cache, ...more }),
    fresh: () => packFolder(options),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
}

/** Waits until a file written now could be told from those before by its times: only then are they remembered. */
async function settle(): Promise<void> {
  const since = Date.now();
  await waitFor("the file system's clock to move on", () => Date.now() > since + 250);
}

const members = (cache: string): string[] => readdirSync(cache).filter((name) => name.endsWith(".gz"));

test("an unchanged tree comes out of the cache", async () => {
  await using setup = await setUp();
  const first = await setup.pack();
  expect(first.members.reused).toBe(0);
  const second = await setup.pack();
  expect(second.digest).toBe(first.digest);
  expect(second.manifest).toEqual(first.manifest);
  expect(second.members.total - second.members.reused).toBe(1); // the one that ends the archive
});

test("a changed line compresses its own member and the metadata again, nothing else", async () => {
  await using setup = await setUp();
  await setup.pack();
  writeFileSync(join(setup.app, "server.js"), "require('package-2')");
  const second = await setup.pack();
  expect(second.digest).toBe((await setup.fresh()).digest);
  expect(second.members.total - second.members.reused).toBeLessThanOrEqual(3);
});

test("files that were touched but not changed are read again and not compressed again", async () => {
  await using setup = await setUp();
  const first = await setup.pack();
  for (const path of readdirSync(setup.app, { recursive: true, encoding: "utf8" })) {
    if (!path.includes(".bin/")) utimesSync(join(setup.app, path), 1_700_000_000, 1_700_000_000);
  }
  const second = await setup.pack();
  expect(second.digest).toBe(first.digest);
  expect(second.members.total - second.members.reused).toBe(1);
});

test("a change that keeps size and modification time is seen", async () => {
  await using setup = await setUp();
  await setup.pack();
  const path = join(setup.app, "server.js");
  const { atimeMs, mtimeMs } = statSync(path);
  writeFileSync(path, "require('package-3')");
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
  expect((await setup.pack()).digest).toBe((await setup.fresh()).digest);
});

test("a file written in the same tick as a pack is not remembered: its times could not tell one more change", async () => {
  await using setup = await setUp({ "server.js": "1" });
  const soon = Date.now() / 1000 + 60; // as if the pack had been in the same tick
  utimesSync(join(setup.app, "server.js"), soon, soon);
  const remembered = () => readdirSync(setup.cache).filter((name) => name.startsWith("tree-")).length;
  await setup.pack();
  expect(remembered()).toBe(0);
  utimesSync(join(setup.app, "server.js"), 1_700_000_000.5, 1_700_000_000.5);
  await settle();
  await setup.pack();
  expect(remembered()).toBe(1);
});

test.each([
  [99, 99, false],
  [101, 101, true],
  [101, 99, false],
  [5000, 99, false],
])("modified %d ms and changed %d ms before the pack: settled is %p", (modified, changed, settled) => {
  const startedMs = 1_700_000_000_500.5;
  const file = { mtimeMs: startedMs - modified, ctimeMs: startedMs - changed };
  expect(isSettled({ entries: [file as TreeEntry] }, startedMs)).toBe(settled);
});

test("a file system that counts whole seconds takes two of them to settle", () => {
  const file = (ms: number) => ({ entries: [{ mtimeMs: ms, ctimeMs: ms } as TreeEntry] });
  expect(isSettled(file(1_700_000_000_000), 1_700_000_001_900)).toBe(false);
  expect(isSettled(file(1_700_000_000_000), 1_700_000_002_100)).toBe(true);
});

test("a broken entry is made again, wherever it broke", async () => {
  await using setup = await setUp();
  const { digest } = await setup.pack();
  const damages: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.subarray(0, bytes.length >> 1),
    () => Buffer.alloc(0),
    (bytes) => flipped(bytes, 3),
    (bytes) => flipped(bytes, 20),
    (bytes) => flipped(bytes, bytes.length - 5),
    (bytes) => Buffer.concat([bytes, Buffer.from("more")]),
  ];
  for (const damage of damages) {
    for (const name of readdirSync(setup.cache)) {
      const path = join(setup.cache, name);
      writeFileSync(path, damage(readFileSync(path)));
    }
    expect((await setup.pack()).digest).toBe(digest);
  }
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[Math.min(at, bytes.length - 1)] = (bytes[Math.min(at, bytes.length - 1)] ?? 0) ^ 1;
  return bytes;
}

test("the cache stays below its limit, and what was used longest ago goes first", async () => {
  await using setup = await setUp({ "a.js": words(1, 2_000_000), "b.js": words(2, 2_000_000) });
  await setup.pack();
  const kept = members(setup.cache);
  const size = readdirSync(setup.cache).reduce((sum, name) => sum + statSync(join(setup.cache, name)).size, 0);
  const old = join(setup.cache, `${"0".repeat(64)}.gz`);
  writeFileSync(old, words(3, 100_000));
  utimesSync(old, 1_000_000, 1_000_000);
  await setup.pack({ cacheMaxBytes: size + 50_000 });
  expect(members(setup.cache)).toEqual(kept);
  expect((await setup.pack({ cacheMaxBytes: 0 })).digest).toBe((await setup.fresh()).digest);
  expect(members(setup.cache)).toEqual([]);
});

test("a cache that cannot be used is worth one warning and no more", async () => {
  await using setup = await setUp();
  writeFileSync(setup.cache, "in the way");
  const warnings: string[] = [];
  const { digest } = await setup.pack({ warn: (message) => void warnings.push(message) });
  expect(digest).toBe((await setup.fresh()).digest);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain("without a cache");
});

test.skipIf(!smallDiskTier().available)(
  "a full disk below the cache is worth one warning, and leaves nothing half done",
  async () => {
    await using setup = await setUp();
    await using disk = await smallDisk(2);
    const warnings: string[] = [];
    const { digest } = await setup.pack({
      cacheFolder: join(disk.path, "cache"),
      warn: (message) => void warnings.push(message),
    });
    expect(digest).toBe((await setup.fresh()).digest);
    expect(warnings.length).toBeGreaterThanOrEqual(1);
    expect(warnings[0]).toContain("no space is left");
    expect(readdirSync(join(disk.path, "cache")).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  },
);

test.skipIf(!smallDiskTier().available)(
  "a full disk below the artifact is disk_failed and leaves nothing",
  async () => {
    await using setup = await setUp();
    await using disk = await smallDisk(2);
    const failure = setup.pack({ outFolder: join(disk.path, "out") });
    await expect(failure).rejects.toMatchObject({ code: "disk_failed" });
    expect(readdirSync(join(disk.path, "out"))).toEqual([]);
  },
);

test("what killed runs left is removed, what live ones write is not", async () => {
  await using setup = await setUp({ "a.js": "1" });
  const { path } = await setup.pack();
  const [name = ""] = readdirSync(setup.cache);
  const dead = Bun.spawn(["true"]);
  await dead.exited;
  const temporary = (await import("../../../src/artifact/pack/temporary-files.ts")).temporaryPath(setup.cache);
  const abandoned = temporary.replace(`-${process.pid}-`, `-${dead.pid}-`);
  for (const file of [temporary, abandoned]) writeFileSync(file, readFileSync(join(setup.cache, name)));
  const beside = join(path, "..", abandoned.split("/").at(-1) ?? "");
  writeFileSync(beside, "half");
  await setup.pack();
  expect([existsSync(temporary), existsSync(abandoned), existsSync(beside)]).toEqual([true, false, false]);
});
