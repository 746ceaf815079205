import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { asDatabaseError, isTransient } from "../../src/db/failures.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { rowsOf } from "../../src/db/rows.ts";
import { createDatabaseProxy } from "../harness/database-proxy.ts";
import { createPostgresDatabase, createPostgresUrl, postgresTier } from "../harness/postgres.ts";
import { waitFor } from "../harness/wait-for.ts";

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

  // What scripts/patches mends in postgres.js, here and in the next test.
  test("a connection that is cut before its query was sent serves the next one", async () => {
    await using server = await createPostgresUrl();
    const sockets: Socket[] = [];
    const open = async () => {
      const { hostname, port } = new URL(server.url);
      const socket = connect(Number(port), hostname);
      await once(socket, "connect");
      sockets.push(socket);
      return socket;
    };
    const client = postgres(server.url, { max: 1, socket: open, fetch_types: false, connect_timeout: 3 } as object);
    try {
      await client.unsafe("select 1");
      const unsent = client.unsafe("select 2").execute();
      await Promise.resolve(); // it is given to the connection, which writes after the next poll
      sockets[0]?.emit("error", new Error("reset"));
      sockets[0]?.emit("close", true);
      await expect(unsent.then()).rejects.toThrow("reset");
      const [row] = await client.unsafe("select 3 as three");
      expect(row?.three).toBe(3);
      expect(sockets).toHaveLength(2);
    } finally {
      for (const socket of sockets) socket.destroy();
      await client.end({ timeout: 0 });
    }
  });

  test("a transaction that lost its connection writes into no other that has it now", async () => {
    await using cuttable = await createCuttable();
    const { database, proxy } = cuttable;
    const { db } = database;
    await db.execute(sql`create table notes (text text)`);
    const isCut = Promise.withResolvers<void>();
    const hasWritten = Promise.withResolvers<void>();
    const orphan = db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values ('before')`);
      proxy.goAway();
      await isCut.promise;
      const late = await Promise.allSettled([tx.execute(sql`insert into notes values ('late')`)]);
      hasWritten.resolve();
      expect(late).toMatchObject([{ status: "rejected" }]);
    });
    await expect(orphan).rejects.toThrow();
    proxy.comeBack();
    await waitFor("the connection", () =>
      database.check().then(
        () => true,
        () => false,
      ),
    );
    await db.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values ('mine')`);
      isCut.resolve();
      await hasWritten.promise;
    });
    expect(rowsOf(await db.execute(sql`select text from notes`))).toEqual([{ text: "mine" }]);
  });

  test("close lets the process end and later queries fail", async () => {
    await using database = await createPostgresDatabase();
    await database.close();
    await expect(database.check()).rejects.toMatchObject({ code: "service_unavailable" });
  });
});

/** A pool whose way to its server can be cut. */
async function createCuttable() {
  const stack = new AsyncDisposableStack();
  const { url } = stack.use(await createPostgresUrl());
  const proxy = stack.use(await createDatabaseProxy(url));
  const database = await openPostgres(proxy.url, log);
  stack.defer(() => database.close());
  return { database, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
