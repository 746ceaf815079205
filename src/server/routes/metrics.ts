import { createRoute, z } from "@hono/zod-openapi";
import { allApps } from "../access.ts";
import { failures } from "../openapi.ts";
import { createRouter } from "../router.ts";

const show = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "metrics.show",
  summary: "Counts and times, in Prometheus' text format",
  middleware: allApps, // they name apps
  responses: { ...failures, 200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } } },
});

/** Mounted at /. */
export const metricRoutes = createRouter().openapi(show, async (c) => {
  const { registry } = c.var.control.metrics;
  return c.text(await registry.metrics(), 200, { "content-type": registry.contentType });
});
