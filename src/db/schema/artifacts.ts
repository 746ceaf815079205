import { sql } from "drizzle-orm";
import { boolean, check, index, integer, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import { apps } from "./apps.ts";
import { big, isOneOf, time } from "./columns.ts";

/** `pending → verifying → stored`; `pending | verifying → expired`; `verifying → pending` on a mismatch. */
export const artifactStatuses = ["pending", "verifying", "stored", "expired"] as const;
export type ArtifactStatus = (typeof artifactStatuses)[number];

/** Uploads and stored artifacts: one row for each (app, digest), whatever happened to it. */
export const artifacts = pgTable(
  "artifacts",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    appId: uuid("app_id")
      .notNull()
      .references(() => apps.id),
    digest: text("digest").notNull(),
    sizeBytes: big("size_bytes"),
    status: text("status", { enum: artifactStatuses }).notNull().default("pending"),
    storageKey: text("storage_key").notNull(),
    uploadId: text("upload_id"),
    /** Hex Ed25519 over the digest's 64 characters, and the app's public key that it was verified with. */
    signature: text("signature"),
    signedBy: text("signed_by"),
    /** Until when the server that is verifying holds the row; later another one takes over. */
    claimedUntil: time("claimed_until"),
    /** The bytes were hashed again here. What the API calls `verified` is the signature: `signedBy` is active. */
    verified: boolean("verified").notNull().default(false),
    /** The newest version of its app that ran it; null where none did, or where an older server wrote that down. */
    ranVersion: integer("ran_version"),
    presignedAt: time("presigned_at"),
    createdAt: time("created_at").notNull().defaultNow(),
    completedAt: time("completed_at"),
    expiresAt: time("expires_at"),
  },
  (table) => [
    unique("artifacts_app_id_digest").on(table.appId, table.digest),
    // What deployments refer to: an artifact of the same app, with the digest that they name.
    unique("artifacts_id_app_id_digest").on(table.id, table.appId, table.digest),
    check("artifacts_digest", sql`${table.digest} ~ '^[0-9a-f]{64}$'`),
    check("artifacts_status", isOneOf(table.status, artifactStatuses)),
    check("artifacts_completed", sql`${table.status} <> 'stored' or ${table.completedAt} is not null`),
    check("artifacts_signature", sql`${table.signature} ~ '^[0-9a-f]{128}$'`),
    check("artifacts_signed_by", sql`${table.signedBy} ~ '^[0-9a-f]{64}$'`),
    check("artifacts_size", sql`${table.sizeBytes} >= 0`),
    index("artifacts_newest").on(table.appId, table.createdAt.desc().nullsFirst()),
    index("artifacts_by_digest").on(table.digest),
    index("artifacts_ran").on(table.appId, table.ranVersion).where(sql`${table.ranVersion} is not null`),
    index("artifacts_due").on(table.status, table.expiresAt),
  ],
);
