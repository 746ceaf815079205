import { createRoute, z } from "@hono/zod-openapi";
import { listAudit } from "../../control/audit.ts";
import { auditActionPattern, auditSubjectPattern } from "../../core/events.ts";
import { parseSince, sincePattern } from "../../lib/durations.ts";
import { isAdmin, readableApp, readScope } from "../access.ts";
import { failures, json, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { auditView, toAuditView } from "../schemas/event.ts";
import { appQuery } from "../schemas/fields.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "audit.list",
  summary: "Who changed what, newest first",
  description: "Every status transition, written in the transaction that made it. It outlives what it speaks of.",
  request: {
    query: pageQuery.extend({
      ...appQuery.shape,
      subject: z
        .string()
        .regex(auditSubjectPattern, "it must be the id of a deployment, an artifact or an app")
        .optional(),
      action: z.string().regex(auditActionPattern, "it must be an action such as deployment.failed").optional(),
      since: z.string().openapi({ pattern: sincePattern, example: "2h" }).optional(),
    }),
  },
  responses: { ...failures, 200: json(z.array(auditView), "The lines") },
});

/** Mounted at /audit. */
export const auditRoutes = createRouter().openapi(list, async (c) => {
  const { control } = c.var;
  const { since, app, ...filter } = c.req.valid("query");
  const of = app === undefined ? {} : { app: readableApp(c, app) };
  const from = since === undefined ? {} : { since: parseSince(since, control.now()) };
  const own = { ...filter, ...of, ...from, appsOnly: !isAdmin(c.var.caller) };
  const lines = await listAudit(control, own, readScope(c));
  return c.json(lines.map(toAuditView), 200);
});
