import { sql } from "drizzle-orm";
import { boolean, check, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from "drizzle-orm/pg-core";
import { roles } from "../../core/roles.ts";
import { apps } from "./apps.ts";
import { isOneOf, time } from "./columns.ts";

/** Access tokens made through the API: their SHA-256, never themselves. */
export const tokens = pgTable(
  "tokens",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull(),
    hash: text("hash").notNull().unique(),
    role: text("role", { enum: roles }).notNull(),
    /** Names of the apps it is for, which need not exist yet; null is all. */
    apps: text("apps").array(),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: text("created_by").notNull(),
    expiresAt: time("expires_at"),
    revokedAt: time("revoked_at"),
    lastUsedAt: time("last_used_at"),
  },
  (table) => [
    check("tokens_hash", sql`${table.hash} ~ '^[0-9a-f]{64}$'`),
    check("tokens_role", isOneOf(table.role, roles)),
  ],
);

/** Ed25519 keys whose signatures count for an app. Several may be active: that is how they are rotated. */
export const publicKeys = pgTable(
  "public_keys",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    appId: uuid("app_id")
      .notNull()
      .references(() => apps.id),
    publicKeyHex: text("public_key_hex").notNull(),
    active: boolean("active").notNull().default(true),
    createdAt: time("created_at").notNull().defaultNow(),
    revokedAt: time("revoked_at"),
  },
  (table) => [
    unique("public_keys_app_id_key").on(table.appId, table.publicKeyHex),
    check("public_keys_hex", sql`${table.publicKeyHex} ~ '^[0-9a-f]{64}$'`),
  ],
);

/** Answers that a repeated request gets again. `scope` is the caller, so that no one reads another's. */
export const idempotencyKeys = pgTable(
  "idempotency_keys",
  {
    scope: text("scope").notNull(),
    key: text("key").notNull(),
    route: text("route").notNull(),
    /** Hex SHA-256 of the request's body. */
    bodyHash: text("body_hash").notNull(),
    /** Null while the first request is under way; then the answer's status. */
    status: integer("status"),
    response: jsonb("response").$type<unknown>(),
    /** A request that died is taken over after this. */
    claimedUntil: time("claimed_until").notNull(),
    createdAt: time("created_at").notNull().defaultNow(),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.scope, table.key] })],
);
