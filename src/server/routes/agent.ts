import { createRoute } from "@hono/zod-openapi";
import type { AgentReport } from "../../core/agent-report.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
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
  const taken = await control.runtime.report?.(app, said);
  if (taken === undefined) throw new AetherError("not_found", `The app "${app}" has no pod "${said.pod}".`);
  if (taken === "new") count(control.metrics, said);
  return c.body(null, 204);
});

function count(
  { devHotRefreshes, devHotLatency, devHotFailures }: Metrics,
  { outcome, reason, ms }: AgentReport,
): void {
  if (outcome === "fail") {
    devHotFailures.inc({ reason: reason ?? "start" });
    return;
  }
  devHotRefreshes.inc();
  devHotLatency.observe(ms / 1_000);
}
