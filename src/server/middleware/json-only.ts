import { createMiddleware } from "hono/factory";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

const types = /^(application\/json|multipart\/form-data)\s*(;|$)/i;

/** A browser sends `text/plain` anywhere without asking; JSON it may not. So a body must say what it is. */
export const jsonOnly = createMiddleware<ServerEnv>(async function jsonOnly(c, next) {
  const writes = c.req.method === "POST" || c.req.method === "PATCH" || c.req.method === "PUT";
  if (writes && !types.test(c.req.header("content-type") ?? "")) {
    throw new AetherError("bad_request", "The content type must be application/json.");
  }
  await next();
});
