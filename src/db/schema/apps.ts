import { sql } from "drizzle-orm";
import { check, integer, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { big, time } from "./columns.ts";

/** Tenants. The overrides replace the server's quotas and retention where they are set. */
export const apps = pgTable(
  "apps",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull().unique(),
    maxArtifacts: integer("max_artifacts"),
    maxTotalBytes: big("max_total_bytes"),
    retainLatest: integer("retain_latest"),
    retainMaxAgeSecs: big("retain_max_age_secs"),
    createdAt: time("created_at").notNull().defaultNow(),
    /** Set when its removal has begun, and moved on by the server that is at it: when that stops, another takes over. */
    deletingAt: time("deleting_at"),
    /** Wanted by `scale`; null is what each release's configuration says. */
    replicas: integer("replicas"),
    /** Set together: nothing is released while an app is locked. */
    lockedReason: text("locked_reason"),
    lockedBy: text("locked_by"),
    lockedAt: time("locked_at"),
  },
  (table) => [
    check("apps_name", sql`${table.name} ~ '^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$'`),
    check("apps_replicas", sql`${table.replicas} >= 0`),
    check(
      "apps_limits",
      sql`coalesce(${table.maxArtifacts}, 0) >= 0 and coalesce(${table.maxTotalBytes}, 0) >= 0 and coalesce(${table.retainLatest}, 0) >= 0 and coalesce(${table.retainMaxAgeSecs}, 0) >= 0`,
    ),
  ],
);

/** The variables of an app as its next release gets them. Values are sealed; releases keep their own snapshot. */
export const appVariables = pgTable(
  "app_variables",
  {
    appId: uuid("app_id")
      .notNull()
      .references(() => apps.id, { onDelete: "cascade" }), // the release before this table removes apps without knowing it
    name: text("name").notNull(),
    valueSealed: text("value_sealed").notNull(),
    updatedAt: time("updated_at").notNull().defaultNow(),
    updatedBy: text("updated_by").notNull(),
  },
  (table) => [primaryKey({ columns: [table.appId, table.name] })],
);
