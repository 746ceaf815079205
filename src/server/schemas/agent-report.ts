import { z } from "@hono/zod-openapi";
import type { AgentReport } from "../../core/agent-report.ts";
import { refreshFailures } from "../../core/hot-markers.ts";
import { digest, time } from "./fields.ts";

export const newAgentReport = z
  .object({
    pod: z.string().min(1).max(253),
    digest,
    outcome: z.enum(["ok", "fail"]),
    serving: digest.optional().openapi({ description: "What serves now; absent: nothing yet" }),
    reason: z.enum(refreshFailures).optional(),
    message: z.string().max(10_000).optional().openapi({ description: "For a person" }),
    log: z
      .array(z.string().max(10_000))
      .max(200)
      .optional()
      .openapi({ description: "The last lines of a version that did not come up" }),
    ms: z.number().int().min(0).openapi({ description: "From the wish to the first answer, or to the verdict" }),
    at: time,
  })
  .openapi("NewAgentReport") satisfies z.ZodType<AgentReport>;
