import { z } from "@hono/zod-openapi";
import type { App } from "../../control/apps.ts";
import type { AppView } from "../../core/wire.ts";

export const appParam = z.object({ app: z.string().openapi({ param: { name: "app", in: "path" } }) });
export const newApp = z.object({ name: z.string() }).openapi("NewApp");

export const appView = z
  .object({ id: z.string(), name: z.string(), url: z.string().nullable(), created_at: z.string() })
  .openapi("App") satisfies z.ZodType<AppView>;

/** A row as the API shows it; `url` is where its runtime routes to it. */
export function toAppView(app: App, url: string | undefined): AppView {
  return { id: app.id, name: app.name, url: url ?? null, created_at: app.createdAt.toISOString() };
}
