import { describe, setDefaultTimeout } from "bun:test";
import type { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import type { Database } from "../../src/db/client.ts";
import { migrate } from "../../src/db/migrate.ts";
import { createPGlite } from "../../src/db/pglite.ts";
import * as schema from "../../src/db/schema.ts";
import { createPostgresDatabase, postgresTier } from "./postgres.ts";

export type TestDatabase = Database & AsyncDisposable;
export type OpenTestDatabase = () => Promise<TestDatabase>;

/** Runs the tests of `define` on each kind of database; `open` gives a fresh migrated one. */
export function withDatabases(name: string, define: (open: OpenTestDatabase) => void): void {
  setDefaultTimeout(30_000); // the first to ask waits for a server to start
  describe(`${name} on PGlite`, () => define(openTestDatabase));
  describe.skipIf(!postgresTier().available)(`${name} on Postgres`, () => define(openPostgresTestDatabase));
}

/** Engines of this process that no test uses: an emptied one is ready in a tenth of the time of a new one. */
const idle: PGlite[] = [];

/** A fresh migrated database in memory, given back by disposing of it. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const client = await emptyEngine();
  const db = drizzle(client, { schema });
  await migrate(db);
  return {
    kind: "pglite",
    db,
    check: async () => void (await client.query("select 1")),
    maintain: async () => {},
    close: () => client.close(),
    async [Symbol.asyncDispose]() {
      if (!client.closed) idle.push(client);
    },
  };
}

async function emptyEngine(): Promise<PGlite> {
  const used = idle.pop();
  if (used === undefined) return createPGlite({});
  await used.exec("discard all");
  await used.exec("drop schema public cascade; create schema public");
  return used;
}

async function openPostgresTestDatabase(): Promise<TestDatabase> {
  const database = await createPostgresDatabase();
  await migrate(database.db);
  return database;
}
