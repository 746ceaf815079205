import { sql } from "drizzle-orm";
import { index, jsonb, pgTable, text, uuid } from "drizzle-orm/pg-core";
import { big, time } from "./columns.ts";

/** Who changed what, append-only. It outlives what it speaks of, so nothing refers to other tables. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: big("id").primaryKey().generatedAlwaysAsIdentity(),
    at: time("at").notNull().defaultNow(),
    actor: text("actor").notNull(),
    action: text("action").notNull(),
    subjectType: text("subject_type").notNull(),
    subjectId: text("subject_id").notNull(),
    appId: uuid("app_id"),
    before: text("before"),
    after: text("after"),
    requestId: text("request_id"),
    detail: jsonb("detail").$type<Record<string, unknown>>(),
    /** Its place in the feed of events, given after the commit: ids are drawn before, and become visible out of order. */
    seq: big("seq").unique("audit_events_seq"),
  },
  (table) => [
    index("audit_events_app").on(table.appId, table.id.desc().nullsFirst()),
    index("audit_events_unsequenced").on(table.id).where(sql`${table.seq} is null`),
    index("audit_events_of_subject").on(table.subjectId, table.id.desc().nullsFirst()),
    // The name that every line of an app keeps, for the app may be gone.
    index("audit_events_app_name").on(sql`(${table.detail} ->> 'app')`, table.id.desc().nullsFirst()),
  ],
);
