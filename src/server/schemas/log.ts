import { z } from "@hono/zod-openapi";
import type { LogLine } from "../../core/log-line.ts";
import { sincePattern } from "../../lib/durations.ts";
import { queryNumber } from "../openapi.ts";

const flag = z.enum(["0", "1", "true", "false"]).optional();

/** Which lines, and how they are sent. */
export const logQuery = z.object({
  follow: flag,
  tail_lines: queryNumber(0, 100_000).optional(),
  since: z.string().openapi({ pattern: sincePattern, example: "5m" }).optional(),
  container: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "it must be a container's name")
    .openapi({ description: "Default: the application's. On Kubernetes, `fetch` is the one that brings the release." })
    .optional(),
  previous: flag.openapi({ description: "Of each pod, the run of the container before this one; Kubernetes only." }),
  format: z.enum(["text", "ndjson"]).default("text"),
});

export const logLineView = z
  .object({
    time: z.string().openapi({ description: "RFC 3339; on Kubernetes with nanoseconds" }),
    pod: z.string(),
    container: z.string(),
    stream: z.enum(["stdout", "stderr"]).optional() as z.ZodType<"stdout" | "stderr">,
    line: z.string(),
    gap: z
      .literal(true)
      .openapi({ description: "Not the application's line: lines that should stand here are no longer kept" })
      .optional() as z.ZodType<true>,
  })
  .openapi("LogLine") satisfies z.ZodType<LogLine>;
