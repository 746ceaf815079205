import { createMiddleware } from "hono/factory";
import type { ServerEnv } from "../context.ts";

const acceptable = /^[\w.:-]{1,128}$/;

/** Takes the caller's `X-Request-Id` or makes one, and returns it with every answer. */
export const requestId = createMiddleware<ServerEnv>(async function requestId(c, next) {
  const given = c.req.header("x-request-id");
  const id = given !== undefined && acceptable.test(given) ? given : crypto.randomUUID();
  c.set("requestId", id);
  c.header("x-request-id", id);
  await next();
});
