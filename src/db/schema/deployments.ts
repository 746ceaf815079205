import { sql } from "drizzle-orm";
import { boolean, check, foreignKey, index, integer, jsonb, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import type { AppConfig } from "../../core/app-config.ts";
import { deploymentStatuses, failureReasons, type ReleaseOrigin } from "../../core/deployment.ts";
import { apps } from "./apps.ts";
import { artifacts } from "./artifacts.ts";
import { isOneOf, time } from "./columns.ts";

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
    /** What made it; further origins may come, so the database does not list them. */
    origin: text("origin").$type<ReleaseOrigin>().notNull().default("deploy"),
    /** The version that a rollback restores. */
    originVersion: integer("origin_version"),
    /** The app's variables when it was made, sealed; null: it has none. */
    envSealed: text("env_sealed"),
    /** What the runtime pinned with it, which only the runtime understands. */
    pins: jsonb("pins").$type<unknown>(),
    /** Its failure takes the app's variables back to what runs, and has that applied again. */
    rollbackOnFailure: boolean("rollback_on_failure").notNull().default(false),
    failureReason: text("failure_reason", { enum: failureReasons }),
    failureMessage: text("failure_message"),
    failureLog: jsonb("failure_log").$type<string[]>(),
    idempotencyKey: text("idempotency_key"),
    signature: text("signature"),
    createdAt: time("created_at").notNull().defaultNow(),
    createdBy: text("created_by"),
    /** When it first answered; null when it never did. */
    runningAt: time("running_at"),
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
