import { type SQL, sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import type { AppConfig } from "../core/app-config.ts";
import { deploymentStatuses, failureReasons } from "../core/deployment.ts";

/** `pending → verifying → stored`; `pending | verifying → expired`; `verifying → pending` on a mismatch. */
export const artifactStatuses = ["pending", "verifying", "stored", "expired"] as const;
export type ArtifactStatus = (typeof artifactStatuses)[number];

/** Milliseconds, as JavaScript has them: a time that was read compares equal to the row it came from. */
const time = (name: string) => timestamp(name, { withTimezone: true, mode: "date", precision: 3 });
const bytes = (name: string) => bigint(name, { mode: "number" });
const isOneOf = (column: unknown, values: readonly string[]): SQL =>
  sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(", "))})`;

/** Tenants. The overrides replace the server's quotas and retention where they are set. */
export const apps = pgTable(
  "apps",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    name: text("name").notNull().unique(),
    maxArtifacts: integer("max_artifacts"),
    maxTotalBytes: bytes("max_total_bytes"),
    retainLatest: integer("retain_latest"),
    retainMaxAgeSecs: bytes("retain_max_age_secs"),
    createdAt: time("created_at").notNull().defaultNow(),
  },
  (table) => [
    check("apps_name", sql`${table.name} ~ '^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$'`),
    check(
      "apps_limits",
      sql`coalesce(${table.maxArtifacts}, 0) >= 0 and coalesce(${table.maxTotalBytes}, 0) >= 0 and coalesce(${table.retainLatest}, 0) >= 0 and coalesce(${table.retainMaxAgeSecs}, 0) >= 0`,
    ),
  ],
);

/** Uploads and stored artifacts: one row for each (app, digest), whatever happened to it. */
export const artifacts = pgTable(
  "artifacts",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    appId: uuid("app_id")
      .notNull()
      .references(() => apps.id),
    digest: text("digest").notNull(),
    sizeBytes: bytes("size_bytes"),
    status: text("status", { enum: artifactStatuses }).notNull().default("pending"),
    storageKey: text("storage_key").notNull(),
    uploadId: text("upload_id"),
    verified: boolean("verified").notNull().default(false),
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
    check("artifacts_size", sql`${table.sizeBytes} >= 0`),
    index("artifacts_newest").on(table.appId, table.createdAt.desc().nullsFirst()),
    index("artifacts_by_digest").on(table.digest),
    index("artifacts_due").on(table.status, table.expiresAt),
  ],
);

/** Releases: what an app was told to run, newest version last. */
export const deployments = pgTable(
  "deployments",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    appId: uuid("app_id")
      .notNull()
      .references(() => apps.id),
    artifactId: uuid("artifact_id").notNull(),
    digest: text("digest").notNull(),
    version: integer("version").notNull(),
    status: text("status", { enum: deploymentStatuses }).notNull().default("pending"),
    config: jsonb("config").$type<AppConfig>(),
    replicas: integer("replicas").notNull().default(1),
    process: text("process").notNull().default("web"),
    environment: text("environment").notNull().default("production"),
    devHot: boolean("dev_hot").notNull().default(false),
    failureReason: text("failure_reason", { enum: failureReasons }),
    failureMessage: text("failure_message"),
    failureLog: jsonb("failure_log").$type<string[]>(),
    idempotencyKey: text("idempotency_key"),
    createdAt: time("created_at").notNull().defaultNow(),
    lastTransitionAt: time("last_transition_at").notNull().defaultNow(),
  },
  (table) => [
    unique("deployments_idempotency_key").on(table.appId, table.idempotencyKey),
    unique("deployments_version").on(table.appId, table.environment, table.process, table.version),
    foreignKey({
      name: "deployments_artifact",
      columns: [table.artifactId, table.appId, table.digest],
      foreignColumns: [artifacts.id, artifacts.appId, artifacts.digest],
    }),
    check("deployments_status", isOneOf(table.status, deploymentStatuses)),
    check("deployments_reason", isOneOf(table.failureReason, failureReasons)),
    check("deployments_failed", sql`${table.status} <> 'failed' or ${table.failureReason} is not null`),
    check("deployments_version_positive", sql`${table.version} >= 1`),
    check("deployments_replicas", sql`${table.replicas} >= 0`),
    index("deployments_newest").on(table.appId, table.createdAt.desc().nullsFirst()),
    index("deployments_by_artifact").on(table.artifactId),
    index("deployments_due").on(table.status, table.lastTransitionAt),
  ],
);

/** Who changed what, append-only. It outlives what it speaks of, so nothing refers to other tables. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
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
  },
  (table) => [
    index("audit_events_app").on(table.appId, table.id.desc().nullsFirst()),
    index("audit_events_subject").on(table.subjectType, table.subjectId, table.id.desc().nullsFirst()),
  ],
);
