import { createMiddleware } from "hono/factory";
import { matchedRoutes } from "hono/route";
import { countRequest } from "../../telemetry/metrics/http.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { ServerEnv } from "../context.ts";

/** Counts and times every request by its route's template. */
export function countRequests(metrics: Metrics) {
  return createMiddleware<ServerEnv>(async function countRequests(c, next) {
    const started = performance.now();
    await next();
    const routes = matchedRoutes(c).filter(({ method, path }) => method !== "ALL" && !path.endsWith("*"));
    const path = toTemplate(routes.at(-1)?.path);
    const seconds = (performance.now() - started) / 1000;
    countRequest(metrics, { method: c.req.method, path, status: c.res.status, seconds });
  });
}

/** `/apps/:app` as the OpenAPI document says it: `/apps/{app}`. */
function toTemplate(path: string | undefined): string {
  return path?.replaceAll(/:(\w+)(\{[^/]*\})?/g, "{$1}") ?? "unmatched";
}
