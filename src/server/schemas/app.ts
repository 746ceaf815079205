import { z } from "@hono/zod-openapi";
import type { AppLimits } from "../../control/app-limits.ts";
import type { App, ListedApp } from "../../control/apps.ts";
import { appLimitBounds } from "../../core/app-limits.ts";
import { deploymentStatuses, failureReasons } from "../../core/deployment.ts";
import type { AppLimitsRequest, AppView, ListedAppView } from "../../core/wire.ts";
import { appName, digest, time } from "./fields.ts";

export const newApp = z.object({ name: appName }).openapi("NewApp");

const limit = (name: keyof typeof appLimitBounds) =>
  z.number().int().min(appLimitBounds[name].min).max(appLimitBounds[name].max).nullable();
const limits = {
  max_artifacts: limit("max_artifacts"),
  max_total_bytes: limit("max_total_bytes"),
  retain_latest: limit("retain_latest"),
  retain_max_age_secs: limit("retain_max_age_secs"),
};

export const changedApp = z.strictObject(limits).partial().openapi("ChangedApp") satisfies z.ZodType<AppLimitsRequest>;

export const appView = z
  .object({
    id: z.uuid(),
    name: appName,
    url: z.string().nullable(),
    created_at: time,
    ...limits,
    replicas: z.number().nullable().openapi({ description: "What it was scaled to; null is each release's own" }),
    locked: z.object({ reason: z.string(), by: z.string(), at: time }).nullable(),
  })
  .openapi("App") satisfies z.ZodType<AppView>;

export const listedAppView = appView
  .extend({
    deployment: z
      .object({
        id: z.uuid(),
        version: z.number(),
        status: z.enum(deploymentStatuses),
        digest,
        failure_reason: z
          .enum(failureReasons)
          .nullable()
          .openapi({ description: "Why it failed, or why it does not answer although it ought to run" }),
      })
      .nullable()
      .openapi({ description: "The newest one" }),
  })
  .openapi("ListedApp") satisfies z.ZodType<ListedAppView>;

/** An app of a list as the API shows it. */
export function toListedAppView({ app, newest }: ListedApp, url: string | undefined): ListedAppView {
  if (newest === null) return { ...toAppView(app, url), deployment: null };
  const { failureReason: failure_reason, ...deployment } = newest;
  return { ...toAppView(app, url), deployment: { ...deployment, failure_reason } };
}

/** A row as the API shows it; `url` is where its runtime routes to it. */
export function toAppView(app: App, url: string | undefined): AppView {
  return {
    id: app.id,
    name: app.name,
    url: url ?? null,
    created_at: app.createdAt.toISOString(),
    max_artifacts: app.maxArtifacts,
    max_total_bytes: app.maxTotalBytes,
    retain_latest: app.retainLatest,
    retain_max_age_secs: app.retainMaxAgeSecs,
    replicas: app.replicas,
    locked: toLock(app),
  };
}

function toLock({ lockedReason, lockedBy, lockedAt }: App): AppView["locked"] {
  if (lockedAt === null) return null;
  return { reason: lockedReason ?? "", by: lockedBy ?? "", at: lockedAt.toISOString() };
}

/** What a request names; the rest stays as it is. */
export function toAppLimits(body: AppLimitsRequest): Partial<AppLimits> {
  const given = {
    maxArtifacts: body.max_artifacts,
    maxTotalBytes: body.max_total_bytes,
    retainLatest: body.retain_latest,
    retainMaxAgeSecs: body.retain_max_age_secs,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
