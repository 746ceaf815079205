import { sql } from "drizzle-orm";
// Text imports: a compiled binary has no drizzle/ folder to read at run time.
import foundations from "../../drizzle/0000_foundations.sql" with { type: "text" };
import deploymentKeys from "../../drizzle/0001_deployment_keys.sql" with { type: "text" };
import registry from "../../drizzle/0002_registry.sql" with { type: "text" };
import lookups from "../../drizzle/0003_lookups.sql" with { type: "text" };
import releases from "../../drizzle/0004_releases.sql" with { type: "text" };
import type { Db } from "./client.ts";
import { rowsOf } from "./rows.ts";

/** Append only, oldest first. A shipped migration is never edited; a mistake gets a new one. */
export const migrations = [
  { id: "0000_foundations", text: foundations },
  { id: "0001_deployment_keys", text: deploymentKeys },
  { id: "0002_registry", text: registry },
  { id: "0003_lookups", text: lookups },
  { id: "0004_releases", text: releases },
];

/** Brings the database to this build's schema, and says which migrations that took. Safe to call from two servers at once. */
export async function migrate(db: Db): Promise<string[]> {
  return db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(4180)`); // the second server waits here, then finds nothing to do
    await tx.execute(
      sql`create table if not exists aether_migrations (id text primary key, applied_at timestamptz not null default now())`,
    );
    const applied = new Set(rowsOf<{ id: string }>(await tx.execute(sql`select id from aether_migrations`)).map(toId));
    const missing = migrations.filter(({ id }) => !applied.has(id));
    for (const { id, text } of missing) {
      for (const statement of text.split("--> statement-breakpoint")) await tx.execute(sql.raw(statement));
      await tx.execute(sql`insert into aether_migrations (id) values (${id})`);
    }
    return missing.map(toId);
  });
}

const toId = ({ id }: { id: string }): string => id;
