import { z } from "@hono/zod-openapi";
import type { LogLine } from "../../core/log-line.ts";
import { sincePattern } from "../../lib/durations.ts";

const flag = z.enum(["0", "1", "true", "false"]).optional();

/** Which lines, and how they are sent. */
export const logQuery = z.object({
  follow: flag,
  tail_lines: z.coerce.number().int().min(0).max(100_000).optional(),
  since: z.string().openapi({ pattern: sincePattern, example: "5m" }).optional(),
  format: z.enum(["text", "ndjson"]).default("text"),
});

export const logLineView = z
  .object({
    time: z.string(),
    pod: z.string(),
    container: z.string(),
    stream: z.enum(["stdout", "stderr"]),
    line: z.string(),
  })
  .openapi("LogLine") satisfies z.ZodType<LogLine>;
