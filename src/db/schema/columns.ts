import { type SQL, sql } from "drizzle-orm";
import { bigint, timestamp } from "drizzle-orm/pg-core";

/** Milliseconds, as JavaScript has them: a time that was read compares equal to the row it came from. */
export const time = (name: string) => timestamp(name, { withTimezone: true, mode: "date", precision: 3 });

/** A count of bytes or seconds that may pass 32 bits. */
export const big = (name: string) => bigint(name, { mode: "number" });

/** A check that a text column holds one of `values`. */
export const isOneOf = (column: unknown, values: readonly string[]): SQL =>
  sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(", "))})`;
