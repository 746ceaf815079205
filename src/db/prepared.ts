import type { Db } from "./client.ts";

/**
 * A query that is asked often, written once for each database: drizzle takes longer to write one of many columns than
 * Postgres to answer it. For queries outside transactions, whose connections are their own.
 */
export function definePrepared<Q extends object>(build: (db: Db) => Q): (db: Db) => Q {
  const made = new WeakMap<Db, Q>();
  return (db) => {
    const found = made.get(db) ?? build(db);
    made.set(db, found);
    return found;
  };
}
