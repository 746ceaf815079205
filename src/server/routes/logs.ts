import { createRoute, z } from "@hono/zod-openapi";
import { getApp } from "../../control/apps.ts";
import type { LogLine } from "../../core/log-line.ts";
import { parseSince, sincePattern } from "../../lib/durations.ts";
import { readableApp } from "../access.ts";
import { failures, raw } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appParam } from "../schemas/fields.ts";
import { streamEnd } from "../stream-end.ts";

const flag = z.enum(["0", "1", "true", "false"]).optional();

const logLineView = z
  .object({
    time: z.string(),
    pod: z.string(),
    container: z.string(),
    stream: z.enum(["stdout", "stderr"]),
    line: z.string(),
  })
  .openapi("LogLine") satisfies z.ZodType<LogLine>;

const logs = createRoute({
  method: "get",
  path: "/{app}/logs",
  operationId: "apps.logs",
  summary: "Read an app's output, chunked; follow keeps the answer open",
  request: {
    params: appParam,
    query: z.object({
      follow: flag,
      tail_lines: z.coerce.number().int().min(0).max(100_000).optional(),
      since: z.string().openapi({ pattern: sincePattern, example: "5m" }).optional(),
      format: z.enum(["text", "ndjson"]).default("text"),
    }),
  },
  responses: {
    ...failures,
    200: raw({ "text/plain": z.string(), "application/x-ndjson": logLineView }, "The lines, oldest first"),
  },
});

/** Mounted at /apps. */
export const logRoutes = createRouter().openapi(logs, async (c) => {
  const { control } = c.var;
  const app = readableApp(c, c.req.valid("param").app);
  const query = c.req.valid("query");
  await getApp(control.db, app);
  const since = query.since === undefined ? {} : { since: parseSince(query.since, control.now()) };
  const tail = query.tail_lines === undefined ? {} : { tailLines: query.tail_lines };
  const follow = query.follow === "1" || query.follow === "true";
  c.env.keepOpen?.(c.req.raw);
  const { signal, release } = streamEnd(c);
  const lines = control.runtime.logs(app, { ...since, ...tail, follow }, signal);
  const ndjson = query.format === "ndjson";
  const headers = {
    "content-type": ndjson ? "application/x-ndjson" : "text/plain; charset=utf-8",
    "cache-control": "no-store",
  };
  return new Response(toStream(lines, ndjson ? toNdjson : toText, release), { headers });
});

const toNdjson = (line: LogLine): string => `${JSON.stringify(line)}\n`;
const toText = ({ line }: LogLine): string => `${line}\n`;

/** Pulls, so that a slow reader slows the source and nothing piles up. */
function toStream(
  lines: AsyncIterable<LogLine>,
  print: (line: LogLine) => string,
  release: () => void,
): ReadableStream<Uint8Array> {
  const iterator = lines[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next().catch((error: unknown) => {
        release();
        throw error;
      });
      if (!done) return controller.enqueue(encoder.encode(print(value)));
      release();
      controller.close();
    },
    async cancel() {
      release();
      await iterator.return?.();
    },
  });
}
