import { createMiddleware } from "hono/factory";
import type { Logger } from "../../telemetry/log.ts";
import type { ServerEnv } from "../context.ts";

/** One line a request, with the path and never the query. Probes are logged at debug only. */
export function accessLog(log: Logger) {
  return createMiddleware<ServerEnv>(async function accessLog(c, next) {
    const started = performance.now();
    await next();
    const ms = Math.round(performance.now() - started);
    const quiet = c.req.method === "GET" && c.res.status < 400;
    log[quiet ? "debug" : "info"]("request", {
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
      ms,
      request_id: c.var.requestId,
      trace_id: c.var.traceId,
    });
  });
}
