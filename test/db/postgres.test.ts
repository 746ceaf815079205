import { describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { asDatabaseError, isTransient } from "../../src/db/failures.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { createPostgresDatabase, postgresTier } from "../harness/postgres.ts";

const log = { info: () => {}, warn: () => {} };

test("a server that is not there is named, without the password", async () => {
  const url = "postgres://aether:hunter2@127.0.0.1:1/aether";
  const failure = await openPostgres(url, log).catch((error) => error);
  expect(failure).toMatchObject({
    code: "service_unavailable",
    message: expect.stringContaining("Postgres at 127.0.0.1:1/aether does not answer"),
    hint: expect.stringContaining("DATABASE_URL"),
  });
  expect(JSON.stringify(failure)).not.toContain("hunter2");
});

describe.skipIf(!postgresTier().available)("on a real server", () => {
  test("a connection that is cut is a transient failure, and the next query has a new one", async () => {
    await using database = await createPostgresDatabase();
    const failure = await database.db
      .execute(sql`select pg_terminate_backend(pg_backend_pid())`)
      .catch((error: unknown) => error);
    expect(isTransient(failure)).toBe(true);
    expect(asDatabaseError(failure)).toMatchObject({ code: "service_unavailable" });
    await database.check();
  });

  test("a deadlock is transient and hits one of two transactions", async () => {
    await using database = await createPostgresDatabase();
    const { db } = database;
    await db.execute(sql`create table pairs (id int primary key)`);
    await db.execute(sql`insert into pairs values (1), (2)`);
    const bothHoldOne = Promise.withResolvers<void>();
    let holding = 0;
    const lock = (first: number, second: number) =>
      db.transaction(async (tx) => {
        await tx.execute(sql`update pairs set id = id where id = ${first}`);
        holding += 1;
        if (holding === 2) bothHoldOne.resolve();
        await bothHoldOne.promise;
        await tx.execute(sql`update pairs set id = id where id = ${second}`);
      });
    const outcomes = await Promise.allSettled([lock(1, 2), lock(2, 1)]);
    const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(failures.map(isTransient)).toEqual([true]);
  });

  test("close lets the process end and later queries fail", async () => {
    await using database = await createPostgresDatabase();
    await database.close();
    await expect(database.check()).rejects.toMatchObject({ code: "service_unavailable" });
  });
});
