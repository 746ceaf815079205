import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { AetherError, messageOf } from "../lib/errors.ts";
import type { Database, DatabaseLog } from "./client.ts";
import * as schema from "./schema.ts";

/** A pool of connections to a Postgres server; fails at once when that server does not answer. */
export async function openPostgres(url: string, log: DatabaseLog): Promise<Database> {
  const client = postgres(url, {
    max: 10,
    connect_timeout: 10,
    idle_timeout: 60,
    backoff: (tries) => Math.min(1, 0.05 * 2 ** tries), // its own, up to 20 s, would outlast a restart of Postgres
    max_lifetime: 30 * 60, // a failed-over or rebalanced server is found again
    connection: {
      application_name: "aether",
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000, // a server that was paused must not hold its locks for ever
    },
    onnotice: (notice) => {
      if (notice.severity !== "NOTICE") log.warn("postgres says", { notice: notice.message });
    },
  });
  const db = drizzle(preparing(client), { schema });
  const database: Database = {
    kind: "postgres",
    db,
    async check() {
      await db.execute(sql`select 1`).catch((error) => {
        throw unreachable(url, error);
      });
    },
    maintain: async () => {},
    close: () => client.end({ timeout: 2 }), // postgres.js waits that long for a connection that the server had cut
  };
  try {
    await database.check();
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Inserts of many rows and long lists have another text for each length: those are not worth remembering. */
const mostPrepared = 50;

/**
 * drizzle sends all queries as "unsafe" ones, which postgres.js describes anew each time: two journeys for each. Prepared,
 * they take one, and the server parses them once a connection.
 */
function preparing<S extends postgres.Sql | postgres.TransactionSql>(client: S): S {
  const { unsafe } = client;
  client.unsafe = (query, parameters = [], options = {}) =>
    unsafe(query, parameters, { ...options, prepare: parameters.length <= mostPrepared });
  if ("begin" in client) {
    const { begin } = client;
    const transaction = (work: (tx: postgres.TransactionSql) => unknown) => begin((tx) => work(preparing(tx)));
    client.begin = transaction as typeof begin;
  }
  return client;
}

function unreachable(url: string, error: unknown): AetherError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { host, pathname } = new URL(url); // never the user and password
  return new AetherError("service_unavailable", `Postgres at ${host}${pathname} does not answer: ${messageOf(cause)}`, {
    cause: error,
    hint: "Check DATABASE_URL and that the database server runs and lets this machine in.",
  });
}
