import { sql } from "drizzle-orm";
import { boolean, check, index, integer, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { apps } from "./apps.ts";
import { big, isOneOf, time } from "./columns.ts";

export const deliveryStatuses = ["pending", "delivered", "failed"] as const;

/** Who wants to be told of events; `secret` is sealed with a subkey of the server's secrets key. */
export const webhooks = pgTable(
  "webhooks",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    url: text("url").notNull(),
    secret: text("secret").notNull(),
    events: text("events").array().notNull(),
    /** Null is all apps. */
    appId: uuid("app_id").references(() => apps.id, { onDelete: "cascade" }),
    active: boolean("active").notNull().default(true),
    /** Since when it has taken nothing; null while it takes what it is sent. */
    failingSince: time("failing_since"),
    /** Why it is not active any more. */
    disabledReason: text("disabled_reason"),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: text("created_by").notNull(),
  },
  (table) => [index("webhooks_app").on(table.appId)],
);

/** The outbox: one row for each event and receiver, kept until it was delivered or given up. */
export const webhookDeliveries = pgTable(
  "webhook_deliveries",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    webhookId: uuid("webhook_id")
      .notNull()
      .references(() => webhooks.id, { onDelete: "cascade" }),
    eventId: big("event_id").notNull(),
    event: text("event").notNull(),
    /** The bytes that are sent and signed, the same at every attempt. */
    body: text("body").notNull(),
    status: text("status", { enum: deliveryStatuses }).notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    nextAttemptAt: time("next_attempt_at").notNull().defaultNow(),
    claimedUntil: time("claimed_until"),
    lastStatus: integer("last_status"),
    lastError: text("last_error"),
    createdAt: time("created_at").notNull().defaultNow(),
    deliveredAt: time("delivered_at"),
  },
  (table) => [
    unique("webhook_deliveries_event").on(table.webhookId, table.eventId),
    check("webhook_deliveries_status", isOneOf(table.status, deliveryStatuses)),
    index("webhook_deliveries_waiting").on(table.webhookId, table.createdAt).where(sql`${table.status} = 'pending'`),
    index("webhook_deliveries_due").on(table.status, table.nextAttemptAt),
  ],
);
