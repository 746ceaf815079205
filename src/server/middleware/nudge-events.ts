import { createMiddleware } from "hono/factory";
import type { ServerEnv } from "../context.ts";

/** What a write has committed is told to listeners and webhooks at once, not by the clock. */
export const nudgeEvents = createMiddleware<ServerEnv>(async function nudgeEvents(c, next) {
  await next();
  if (c.req.method !== "GET" && c.req.method !== "HEAD") c.var.control.events.nudge();
});
