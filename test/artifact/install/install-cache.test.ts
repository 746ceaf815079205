import { expect, test } from "bun:test";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createInstallCache } from "../../../src/artifact/install/install-cache.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

test("only the entries used last are kept, and none that is in use", async () => {
  await using folder = await temporaryFolder();
  const start = Date.parse("2026-01-01T00:00:00Z");
  let hours = 0;
  const now = () => new Date(start + hours * 3_600_000);
  const cache = createInstallCache(folder.path, now);
  for (hours = 0; hours < 25; hours += 1) {
    const entry = await cache.commit(`key${hours}`, await cache.stage(`key${hours}`), { fresh: false });
    await utimes(entry, now(), now());
  }
  expect(await cache.find("key0")).toBe(join(folder.path, "key0.1"));
  await cache.evict();
  const kept = await readdir(folder.path);
  expect(kept).toHaveLength(20);
  expect(kept).toContain("key0.1");
  expect(kept).not.toContain("key1.1");
  expect(await cache.find("key1")).toBeUndefined();
});

test("a key that begins like another's is another's", async () => {
  await using folder = await temporaryFolder();
  const cache = createInstallCache(folder.path, () => new Date());
  await cache.commit("abc", await cache.stage("abc"), { fresh: false });
  expect(await cache.find("ab")).toBeUndefined();
  await cache.stage("x");
  expect(await cache.find("x")).toBeUndefined();
});
