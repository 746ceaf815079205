import { z } from "@hono/zod-openapi";
import type { App } from "../../control/apps.ts";
import type { AppView } from "../../core/wire.ts";
import { appName, time } from "./fields.ts";

export const newApp = z.object({ name: appName }).openapi("NewApp");

export const appView = z
  .object({ id: z.uuid(), name: appName, url: z.string().nullable(), created_at: time })
  .openapi("App") satisfies z.ZodType<AppView>;

/** A row as the API shows it; `url` is where its runtime routes to it. */
export function toAppView(app: App, url: string | undefined): AppView {
  return { id: app.id, name: app.name, url: url ?? null, created_at: app.createdAt.toISOString() };
}
