import { createRoute, z } from "@hono/zod-openapi";
import type { Control } from "../../control/control.ts";
import { createCoverage } from "../../control/coverage.ts";
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
export function metricRoutes(control: Control) {
  const { registry } = control.metrics;
  const readCoverage = createCoverage(control);
  return createRouter().openapi(show, async (c) => {
    await readCoverage();
    return c.text(await registry.metrics(), 200, { "content-type": registry.contentType });
  });
}
