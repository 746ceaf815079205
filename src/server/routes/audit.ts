import { createRoute, z } from "@hono/zod-openapi";
import { listAudit } from "../../control/audit.ts";
import { parseSince } from "../../lib/durations.ts";
import { failures, json, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { auditView, toAuditView } from "../schemas/event.ts";
import { assertVisible, visibleApps } from "../visible-apps.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "audit.list",
  summary: "Who changed what, newest first",
  description: "Every status transition, written in the transaction that made it. It outlives what it speaks of.",
  request: {
    query: pageQuery.extend({
      app: z.string().optional(),
      subject: z.string().optional().openapi({ description: "Id of a deployment, an artifact, an app" }),
      action: z.string().optional().openapi({ description: "Such as deployment.failed" }),
      since: z.string().optional().openapi({ description: "30s, 5m, 2h, 1d, or an RFC 3339 time" }),
    }),
  },
  responses: { ...failures, 200: json(z.array(auditView), "The lines") },
});

/** Mounted at /audit. */
export const auditRoutes = createRouter().openapi(list, async (c) => {
  const { control } = c.var;
  const { since, ...filter } = c.req.valid("query");
  assertVisible(c, filter.app);
  const from = since === undefined ? {} : { since: parseSince(since, control.now()) };
  const lines = await listAudit(control, { ...filter, ...from }, visibleApps(c));
  return c.json(lines.map(toAuditView), 200);
});
