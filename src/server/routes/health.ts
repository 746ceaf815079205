import { createRoute, z } from "@hono/zod-openapi";
import { checkDatabase, checkParts } from "../../control/health.ts";
import { failures, json } from "../openapi.ts";
import { createRouter } from "../router.ts";

const ok = z.object({ status: z.literal("ok") });
const ready = z.object({ status: z.enum(["ok", "degraded"]), degraded: z.array(z.string()) });

const health = createRoute({
  method: "get",
  path: "/health",
  operationId: "health.live",
  summary: "Whether the process serves",
  security: [],
  responses: { 200: json(ok, "It does") },
});

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "health.ready",
  summary: "Whether requests can be answered: fails for the database only, and lists what is degraded",
  security: [],
  responses: { 200: json(ready, "They can"), 503: failures[503] },
});

const startupz = createRoute({
  method: "get",
  path: "/startupz",
  operationId: "health.started",
  summary: "Whether database, storage and runtime have all answered once",
  security: [],
  responses: { 200: json(ok, "They have"), 503: failures[503] },
});

/** Mounted at /, open to everyone. */
export const healthRoutes = createRouter()
  .openapi(health, (c) => c.json({ status: "ok" as const }, 200))
  .openapi(readyz, async (c) => {
    await checkDatabase(c.var.control);
    const degraded = await checkParts(c.var.control);
    return c.json({ status: degraded.length === 0 ? ("ok" as const) : ("degraded" as const), degraded }, 200);
  })
  .openapi(startupz, async (c) => {
    await c.var.startup();
    return c.json({ status: "ok" as const }, 200);
  });
