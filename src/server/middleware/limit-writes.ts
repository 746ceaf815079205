import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { RateLimit } from "../../config/server.ts";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";
import { createRateLimit } from "../rate-limit.ts";

/** Holds each token to its number of writes; `access.ts` holds each app to the same by `c.var.countWrite`. */
export function limitWrites(rate: RateLimit | undefined) {
  const take = rate && createRateLimit(rate);
  const count = (c: Context<ServerEnv>, what: "token" | "app", name: string): void => {
    const waitMs = take?.(`${what} ${name}`, c.var.control.now().getTime()) ?? 0;
    if (waitMs === 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    c.header("retry-after", String(seconds));
    throw new AetherError("rate_limited", `Too many writes of this ${what}.`, { hint: `Try again in ${seconds} s.` });
  };
  return createMiddleware<ServerEnv>(async function limitWrites(c, next) {
    c.set("countWrite", (app) => count(c, "app", app));
    if (c.req.method !== "GET" && c.req.method !== "HEAD") count(c, "token", c.var.caller.id);
    await next();
  });
}
