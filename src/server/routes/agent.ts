import { createRoute } from "@hono/zod-openapi";
import { AetherError } from "../../lib/errors.ts";
import { failures, jsonBody } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { newAgentReport } from "../schemas/agent-report.ts";

const report = createRoute({
  method: "post",
  path: "/reports",
  operationId: "agent.report",
  summary: "Tell what became of a digest that a dev-hot pod was told to run; for pods, with their own token",
  request: { body: jsonBody(newAgentReport) },
  responses: { ...failures, 204: { description: "It is known" } },
});

/** Mounted at /agent. */
export const agentRoutes = createRouter().openapi(report, async (c) => {
  const { control, caller } = c.var;
  const [app] = caller.apps ?? [];
  const said = c.req.valid("json");
  const isOwn = caller.replica === undefined || caller.replica === said.pod;
  if (caller.runs !== "pod" || app === undefined || !isOwn) {
    throw new AetherError("forbidden", "Only a pod may report, and of itself.", {
      hint: "This is for agents; aether status shows what they said.",
    });
  }
  const isKnown = await control.runtime.report?.(app, said);
  if (!isKnown) throw new AetherError("not_found", `The app "${app}" has no pod "${said.pod}".`);
  if (said.outcome === "ok") {
    control.metrics.devHotRefreshes.inc();
    control.metrics.devHotLatency.observe(said.ms / 1_000);
  } else control.metrics.devHotFailures.inc({ reason: said.reason ?? "start" });
  return c.body(null, 204);
});
