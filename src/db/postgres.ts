import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { AetherError, messageOf } from "../lib/errors.ts";
import type { Database, DatabaseLog } from "./client.ts";
import { rowsOf } from "./rows.ts";
import * as schema from "./schema.ts";

const mostConnections = 10;

/** A pool of connections to a Postgres server; fails at once when that server does not answer. */
export async function openPostgres(url: string, log: DatabaseLog): Promise<Database> {
  const client = postgres(url, {
    max: mostConnections,
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
      const asked = db.execute(sql`select current_setting('transaction_read_only')::boolean as "isReadOnly"`);
      const result = await asked.catch((error) => {
        throw unreachable(url, error);
      });
      if (!rowsOf<{ isReadOnly: boolean }>(result)[0]?.isReadOnly) return;
      await dropConnections(client);
      throw readOnly(url);
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

/** After a fail-over they lead to what is a replica now, for as long as they live; new ones find the primary. */
async function dropConnections(client: postgres.Sql): Promise<void> {
  const one = () => client.unsafe("select pg_terminate_backend(pg_backend_pid())");
  await Promise.allSettled(Array.from({ length: mostConnections }, one)); // each ends the connection that it came by
}

function readOnly(url: string): AetherError {
  const message = `Postgres at ${placeOf(url)} takes no writes: it is a replica, or was set read-only.`;
  return new AetherError("service_unavailable", message, {
    hint: "Point DATABASE_URL at the primary, by a name that follows a fail-over; it is asked again by itself.",
  });
}

// Never the user and password.
const placeOf = (url: string): string => `${new URL(url).host}${new URL(url).pathname}`;

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
  return new AetherError("service_unavailable", `Postgres at ${placeOf(url)} does not answer: ${messageOf(cause)}`, {
    cause: error,
    hint: "Check DATABASE_URL and that the database server runs and lets this machine in.",
  });
}
