import { createMiddleware } from "hono/factory";
import type { ServerEnv } from "../context.ts";

/** HEAD is GET without its body: what would have streamed it is told that nobody listens. */
export const headOnly = createMiddleware<ServerEnv>(async function headOnly(c, next) {
  await next();
  if (c.req.method === "HEAD") await c.res.body?.cancel();
});
