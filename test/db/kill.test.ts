import { expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDatabase } from "../../src/db/client.ts";
import { openDataFolder } from "../../src/db/data-folder.ts";
import { migrate } from "../../src/db/migrate.ts";
import { auditEvents } from "../../src/db/schema.ts";
import { linesOf } from "../harness/lines-of.ts";
import { randomFrom, testSeed } from "../harness/random.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const writer = join(import.meta.dir, "../harness/database-process.ts");
const log = { info: () => {}, warn: () => {} };
const full = process.env.AETHER_TEST_FULL === "1";
const rounds = full ? 20 : 6;

async function reopen(path: string) {
  const dataFolder = await openDataFolder(path, { command: "test", now: () => new Date() });
  const database = await openDatabase({ dataFolder, log });
  return {
    ...database,
    async [Symbol.asyncDispose]() {
      await database.close();
      await dataFolder.release();
    },
  };
}

test(`${rounds} kills in the middle of writing lose no confirmed row and leave no half transaction`, async () => {
  await using folder = await temporaryFolder();
  const seed = testSeed();
  const random = randomFrom(seed);
  const confirmed: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await using server = linesOf(writer, [folder.path, String(round)]);
    expect([await server.next(), await server.next()], `seed ${seed}, round ${round}`).toEqual(["locked", "open"]);
    const writes = Math.floor(random() * 200);
    for (let n = 0; n < writes; n += 1) confirmed.push((await server.next()) ?? "(ended)");
    await Bun.sleep(random() * 4); // somewhere inside the next transaction
    server.process.kill("SIGKILL");
    confirmed.push(...(await server.rest()));
  }
  await using database = await reopen(folder.path);
  const rows = await database.db.select().from(auditEvents);
  const halves = Map.groupBy(rows, ({ subjectId }) => subjectId);
  expect(
    confirmed.filter((id) => !halves.has(id)),
    `seed ${seed}`,
  ).toEqual([]);
  expect(
    [...halves.values()].filter((pair) => pair.length !== 2),
    `seed ${seed}`,
  ).toEqual([]);
}, 180_000);

test("kills during the very first start never keep the next one from starting", async () => {
  await using folder = await temporaryFolder();
  const seed = testSeed();
  const random = randomFrom(seed);
  for (let kill = 0; kill < (full ? 20 : 6); kill += 1) {
    await using server = linesOf(writer, [folder.path, "0", "open"]);
    expect(await server.next(), `seed ${seed}, kill ${kill}`).toBe("locked");
    await Bun.sleep(random() * 500);
  }
  await using database = await reopen(folder.path);
  await migrate(database.db);
  expect(await database.db.select().from(auditEvents)).toEqual([]);
  expect((await readdir(folder.path)).toSorted()).toEqual(["lock.json", "lock.sqlite", "pglite"]);
}, 180_000);

test("a lock file that a killed Postgres left empty does not keep the next one from starting", async () => {
  await using folder = await temporaryFolder();
  await (await reopen(folder.path))[Symbol.asyncDispose]();
  await writeFile(join(folder.path, "pglite", "postmaster.pid"), "");
  await using database = await reopen(folder.path);
  await database.check();
}, 180_000);

test("a kill while the folder is unpacked is forgotten by the next start", async () => {
  await using folder = await temporaryFolder();
  {
    await using server = linesOf(writer, [folder.path, "0", "open"]);
    const hasStaging = async () => (await readdir(folder.path)).some((name) => name.startsWith(".pglite-"));
    while (!(await hasStaging())) await Bun.sleep(1);
    server.process.kill("SIGKILL");
  }
  expect((await readdir(folder.path)).some((name) => name.startsWith(".pglite-"))).toBe(true);
  await using database = await reopen(folder.path);
  await database.check();
  expect((await readdir(folder.path)).filter((name) => name.startsWith(".pglite-"))).toEqual([]);
}, 180_000);
