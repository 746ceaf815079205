import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { DataFolder } from "./data-folder.ts";
import { openEmbedded } from "./embedded.ts";
import { openPostgres } from "./postgres.ts";
import type * as schema from "./schema.ts";

/** What both drivers can do. Results of `execute` differ between them: read them with `rowsOf`. */
export type Db = PgDatabase<PgQueryResultHKT, typeof schema>;

/** A transaction of either driver. */
export type Tx = Parameters<Parameters<Db["transaction"]>[0]>[0];

/** Where a query may run: outside or inside a transaction. */
export type Queryable = Db | Tx;

export interface Database {
  readonly kind: "pglite" | "postgres";
  readonly db: Db;
  /** Throws `service_unavailable` when the database does not answer now. */
  check(): Promise<void>;
  /** What a database server does by itself and the embedded one must be told: call it every few minutes. */
  maintain(now: Date): Promise<void>;
  close(): Promise<void>;
}

/** The part of the server's log that a database writes to. */
export interface DatabaseLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface DatabaseOptions {
  /** Absent: the embedded database in the data folder. */
  databaseUrl?: string | undefined;
  /** Held locked by the caller: two processes in one embedded database would ruin it. */
  dataFolder: DataFolder;
  log: DatabaseLog;
}

/** Opens the database that the configuration names, without migrating it. */
export function openDatabase({ databaseUrl, dataFolder, log }: DatabaseOptions): Promise<Database> {
  return databaseUrl === undefined ? openEmbedded(dataFolder, log) : openPostgres(databaseUrl, log);
}
