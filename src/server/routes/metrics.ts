import { createRoute } from "@hono/zod-openapi";
import { failures } from "../openapi.ts";
import { createRouter } from "../router.ts";

const show = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "metrics.show",
  summary: "Counts and times, in Prometheus' text format",
  responses: { ...failures, 200: { description: "The metrics" } },
});

/** Mounted at /. */
export const metricRoutes = createRouter().openapi(show, async (c) => {
  const { registry } = c.var.control.metrics;
  return new Response(await registry.metrics(), { headers: { "content-type": registry.contentType } });
});
