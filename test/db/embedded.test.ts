import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { cp, mkdir, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { $ } from "bun";
import { sql } from "drizzle-orm";
import { listBackups } from "../../src/db/backup.ts";
import { type Database, openDatabase } from "../../src/db/client.ts";
import { openDataFolder } from "../../src/db/data-folder.ts";
import { restoreBackup } from "../../src/db/embedded-folder.ts";
import { asDatabaseError, databaseCode } from "../../src/db/failures.ts";
import { migrate } from "../../src/db/migrate.ts";
import { embeddedPostgresMajor } from "../../src/db/pglite.ts";
import { apps, auditEvents } from "../../src/db/schema.ts";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

setDefaultTimeout(30_000);

const log = { info: () => {}, warn: () => {} };
const day = (n: number) => new Date(Date.UTC(2026, 0, n));

/** Opens the database in `path`, gives it to `use`, and closes it. */
async function withDatabase<T>(path: string, use: (database: Database) => Promise<T>): Promise<T> {
  const dataFolder = await openDataFolder(path, { command: "test", now: () => day(1) });
  try {
    const database = await openDatabase({ dataFolder, log });
    await migrate(database.db);
    return await use(database).finally(() => database.close());
  } finally {
    await dataFolder.release();
  }
}

const templateFolder = join(tmpdir(), `aether-test-template-${process.pid}`);
let template: Promise<void> | undefined;
afterAll(() => rm(templateFolder, { recursive: true, force: true }));

const namesOf = async ({ db }: Database) => (await db.select().from(apps).orderBy(apps.name)).map(({ name }) => name);

test("what was written is there after a close, in a folder of the version that is checked for", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, ({ db }) => db.insert(apps).values({ name: "shop" }));
  expect(await withDatabase(folder.path, namesOf)).toEqual(["shop"]);
  expect((await Bun.file(join(folder.path, "pglite/PG_VERSION")).text()).trim()).toBe(embeddedPostgresMajor);
});

test("a backup is taken once a day while the database is in use, three are kept, and each brings the data back", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, async (database) => {
    for (let n = 1; n <= 4; n += 1) {
      await database.db.insert(apps).values({ name: `app-${n}` });
      await Promise.all([database.maintain(day(n)), database.db.insert(apps).values({ name: `during-${n}` })]);
      await database.maintain(new Date(day(n).getTime() + 3_600_000));
    }
  });
  const backups = await listBackups(folder.path);
  expect(backups.map(({ at }) => at)).toEqual([day(4), day(3), day(2)]);
  expect(await readdir(join(folder.path, "backups"))).toHaveLength(3);

  const dataFolder = await openDataFolder(folder.path, { command: "test", now: () => day(5) });
  const { replaced } = await restoreBackup(dataFolder, backups[2]?.file ?? "", day(5));
  await dataFolder.release();
  expect((await withDatabase(folder.path, namesOf)).filter((name) => name.startsWith("app-"))).toEqual([
    "app-1",
    "app-2",
  ]);
  expect(await readdir(replaced)).toContain("PG_VERSION");
});

test("the log of the embedded database does not grow without bound", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, async ({ db, maintain }) => {
    const fill = sql`insert into audit_events (actor, action, subject_type, subject_id, before)
      select 'a', 'b', 'c', n::text, repeat(md5(n::text), 60) from generate_series(1, 12000) n`;
    const segments = async () => (await readdir(join(folder.path, "pglite/pg_wal"))).filter((name) => /^0/.test(name));
    await maintain(day(1));
    for (let n = 0; n < 5; n += 1) await db.execute(fill);
    expect((await segments()).length).toBeGreaterThan(6);
    await maintain(day(1));
    expect((await segments()).length).toBeLessThanOrEqual(5);
  });
});

/** A folder with one app in its database and a backup of it, made once and copied. */
async function withBackup() {
  template ??= (async () => {
    await withDatabase(templateFolder, async (database) => {
      await database.db.insert(apps).values({ name: "shop" });
      await database.maintain(day(1));
    });
  })();
  await template;
  const folder = await temporaryFolder();
  await cp(templateFolder, folder.path, { recursive: true });
  return folder;
}

test.each<[string, (database: string) => Promise<unknown>, string]>([
  ["the control file is gone", (path) => rm(join(path, "global/pg_control")), "Postgres stopped while it read it"],
  ["the control file is cut", (path) => truncate(join(path, "global/pg_control"), 100), "Postgres stopped"],
  ["the log is gone", (path) => rm(join(path, "pg_wal"), { recursive: true }), "Postgres stopped"],
  ["the tables are gone", (path) => rm(join(path, "base"), { recursive: true }), "Postgres stopped"],
  ["PG_VERSION is gone", (path) => rm(join(path, "PG_VERSION")), "PG_VERSION is missing"],
  ["it is of another Postgres", (path) => writeFile(join(path, "PG_VERSION"), "17\n"), "of Postgres 17"],
])("when %s the error names the newest backup and nothing is initialised over what is left", async (_, damage, why) => {
  await using folder = await withBackup();
  const path = join(folder.path, "pglite");
  await damage(path);
  const files = () => $`find ${path} -type f ! -name postmaster.pid | sort`.text();
  const before = await files();
  const failure = await withDatabase(folder.path, namesOf).catch((error) => error);
  expect(failure).toMatchObject({ code: "disk_failed", message: expect.stringContaining(why) });
  expect(failure.hint).toContain((await listBackups(folder.path))[0]?.file);
  expect(await files()).toBe(before);
});

test("the steps that the error names bring the data back", async () => {
  await using folder = await withBackup();
  await rm(join(folder.path, "pglite/base"), { recursive: true });
  const failure = await withDatabase(folder.path, namesOf).catch((error) => error);
  await $`sh -c ${failure.hint.split("\n").at(-1)}`;
  expect(await withDatabase(folder.path, namesOf)).toEqual(["shop"]);
});

test("without a backup the error says how to begin anew", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, namesOf);
  await rm(join(folder.path, "pglite/global/pg_control"));
  const failure = await withDatabase(folder.path, namesOf).catch((error) => error);
  expect(failure.hint).toContain("There is no backup yet.");
  await $`sh -c ${failure.hint.split(": ").at(-1)}`;
  expect(await withDatabase(folder.path, namesOf)).toEqual([]);
});

test("a restore that was killed between its renames is finished by the next start, not answered with an empty database", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, ({ db }) => db.insert(apps).values({ name: "shop" }));
  await rename(join(folder.path, "pglite"), join(folder.path, "pglite.restored"));
  expect(await withDatabase(folder.path, namesOf)).toEqual(["shop"]);
});

test("a file that is no backup replaces nothing", async () => {
  await using folder = await temporaryFolder();
  await withDatabase(folder.path, ({ db }) => db.insert(apps).values({ name: "shop" }));
  const dataFolder = await openDataFolder(folder.path, { command: "test", now: () => day(2) });
  await mkdir(join(folder.path, "other"));
  await writeFile(join(folder.path, "other/file"), "not a database");
  await $`tar -czf ${folder.path}/other.tar.gz -C ${folder.path}/other .`;
  await expect(restoreBackup(dataFolder, join(folder.path, "other.tar.gz"), day(2))).rejects.toThrow();
  await dataFolder.release();
  expect(await withDatabase(folder.path, namesOf)).toEqual(["shop"]);
});

describe.skipIf(!smallDiskTier().available)("on a small disk", () => {
  test("the first start says how much space it needs and leaves nothing", async () => {
    await using disk = await smallDisk(20);
    await expect(withDatabase(disk.path, namesOf)).rejects.toMatchObject({
      code: "disk_failed",
      message: expect.stringContaining("too little space"),
    });
    expect(await readdir(disk.path)).toEqual(["lock.sqlite"]);
  });

  test("a table that cannot grow fails its query and no other", async () => {
    await using disk = await smallDisk(80);
    await withDatabase(disk.path, async (database) => {
      await writeFile(join(disk.path, "ballast"), new Uint8Array(34_000_000));
      const { confirmed, failure } = await writeUntilFailure(database, 100);
      expect(databaseCode(failure)).toBe("53100");
      expect(asDatabaseError(failure)).toMatchObject({ code: "service_unavailable" });
      await database.check();
      expect(await database.db.$count(auditEvents)).toBe(confirmed);
      await rm(join(disk.path, "ballast"));
      await database.db.insert(auditEvents).values(row());
    });
  });

  test("a log that cannot grow stops the database with an error, not a hang, and loses no confirmed row", async () => {
    await using disk = await smallDisk(80);
    await withDatabase(disk.path, namesOf);
    await writeFile(join(disk.path, "ballast"), new Uint8Array(34_000_000));
    const confirmed = await withDatabase(disk.path, async (database) => {
      const { confirmed, failure } = await writeUntilFailure(database, 1, () =>
        database.db.execute(sql`select pg_switch_wal()`),
      );
      expect(asDatabaseError(failure)).toMatchObject({ code: "service_unavailable" });
      await expect(database.check()).rejects.toMatchObject({
        code: "service_unavailable",
        message: expect.stringContaining("has stopped"),
      });
      return confirmed;
    });
    await expect(withDatabase(disk.path, namesOf)).rejects.toMatchObject({
      code: "disk_failed",
      message: expect.stringContaining("too little space"),
    });
    await rm(join(disk.path, "ballast"));
    await withDatabase(disk.path, async ({ db }) =>
      expect(await db.$count(auditEvents)).toBeOneOf([confirmed, confirmed + 1]),
    );
  });

  test("a backup that does not fit fails by itself: the database goes on", async () => {
    await using disk = await smallDisk(80);
    await withDatabase(disk.path, async (database) => {
      await writeFile(join(disk.path, "ballast"), new Uint8Array(20_000_000));
      await expect(database.maintain(day(1))).rejects.toMatchObject({ code: "disk_failed" });
      expect(await readdir(join(disk.path, "backups"))).toEqual([]);
      await database.db.insert(apps).values({ name: "shop" });
      expect(await namesOf(database)).toEqual(["shop"]);
    });
  });
});

const row = () => ({
  actor: "a",
  action: "b",
  subjectType: "c",
  subjectId: "d",
  before: randomBytes(3000).toString("hex"),
});

async function writeUntilFailure({ db }: Database, rows: number, then: () => Promise<unknown> = async () => {}) {
  let confirmed = 0;
  for (;;) {
    try {
      await db.insert(auditEvents).values(Array.from({ length: rows }, row));
      confirmed += rows;
      await then();
    } catch (failure) {
      return { confirmed, failure };
    }
  }
}
