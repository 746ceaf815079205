import { describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { sql } from "drizzle-orm";
import { migrate, migrations } from "../../src/db/migrate.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { apps } from "../../src/db/schema.ts";
import { withDatabases } from "../harness/database.ts";
import { linesOf } from "../harness/lines-of.ts";
import { createPostgresUrl, postgresTier } from "../harness/postgres.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const root = join(import.meta.dir, "../..");

/** What went out to people's databases. A new migration adds a line; a line never changes. */
const shipped: Record<string, string> = {
  "0000_foundations": "d21f8759bdcbbf637efcd6825ec1215b349694f23f7c6b3a50bf45474dcedb5a",
  "0001_deployment_keys": "d1ffb87980df647d67dc6173bf65e74a23b50b13efe3aab8f7b25fd4621a4937",
  "0002_registry": "e83eadd59252ce6d50dcb467b271fd653632fca62e4b8d45443dd363cbf2cd66",
  "0003_lookups": "d233dd756b856672ada4e6b2728a44a9477fa8a8572237fb9b69a2cadc73bd4e",
  "0004_releases": "10be7b483eae545d6c55d26cc9fe79be07b1b89dabccfb8839fa71cc809195a9",
};

withDatabases("migrate", (open) => {
  test("a migrated database has every migration applied, and none is applied again", async () => {
    await using database = await open();
    const applied = rowsOf<{ id: string }>(
      await database.db.execute(sql`select id from aether_migrations order by id`),
    );
    expect(applied.map(({ id }) => id)).toEqual(migrations.map(({ id }) => id));
    expect(await migrate(database.db)).toEqual([]);
  });

  test("a migration of a newer server is no obstacle to this one", async () => {
    await using database = await open();
    await database.db.execute(sql`insert into aether_migrations (id) values ('9999_future')`);
    expect(await migrate(database.db)).toEqual([]);
  });

  test("a migration that fails leaves nothing of itself", async () => {
    await using database = await open();
    await database.db.execute(sql`delete from aether_migrations`);
    await expect(migrate(database.db)).rejects.toThrow();
    expect(rowsOf(await database.db.execute(sql`select id from aether_migrations`))).toEqual([]);
    await database.db.insert(apps).values({ name: "shop" });
  });
});

describe.skipIf(!postgresTier().available)("servers that start at once", () => {
  test("migrate once", async () => {
    await using created = await createPostgresUrl();
    const file = join(import.meta.dir, "../harness/migrate-process.ts");
    await using first = linesOf(file, [created.url]);
    await using second = linesOf(file, [created.url]);
    await using third = linesOf(file, [created.url]);
    const servers = [first, second, third];
    for (const server of servers) expect(await server.next()).toBe("ready");
    for (const { process } of servers) {
      process.stdin.write("go\n");
      process.stdin.flush();
    }
    const applied = await Promise.all(servers.map(async (server) => JSON.parse((await server.next()) ?? "null")));
    expect(applied.flat()).toEqual(migrations.map(({ id }) => id));
    expect(await Promise.all(servers.map(({ process }) => process.exited))).toEqual([0, 0, 0]);
    const database = await openPostgres(created.url, { info: () => {}, warn: () => {} });
    await database.db.insert(apps).values({ name: "shop" });
    await database.close();
  }, 180_000);
});

test("a shipped migration is never edited, and a new one is listed here", () => {
  const hashes = migrations.map(({ id, text }) => [id, new Bun.CryptoHasher("sha256").update(text).digest("hex")]);
  expect(Object.fromEntries(hashes)).toEqual(shipped);
});

test("every file in drizzle/ is imported, in order", async () => {
  const files = (await readdir(join(root, "drizzle"))).filter((name) => name.endsWith(".sql")).sort();
  expect(migrations.map(({ id }) => `${id}.sql`)).toEqual(files);
  for (const { id, text } of migrations) expect(await readFile(join(root, "drizzle", `${id}.sql`), "utf8")).toBe(text);
});

test("the schema and the SQL say the same: drizzle-kit finds nothing to generate", async () => {
  await using folder = await temporaryFolder();
  await $`cp -r ${root}/drizzle ${folder.path}/drizzle`.quiet();
  const kit = join(root, "node_modules/drizzle-kit/bin.cjs");
  // Run inside the folder: drizzle-kit puts "./" before the path it is given.
  const run = (command: string, args: string[]) =>
    $`${process.execPath} ${kit} ${command} --dialect postgresql --out drizzle ${args}`.cwd(folder.path).quiet();
  await run("generate", ["--schema", join(root, "src/db/schema.ts")]);
  const files = async (path: string) => (await readdir(path, { recursive: true })).sort();
  expect(await files(join(folder.path, "drizzle"))).toEqual(await files(join(root, "drizzle")));
  await run("check", []);
}, 180_000);
