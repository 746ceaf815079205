import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { getApp } from "../../control/apps.ts";
import { type LogLine, type LogQuery, printed } from "../../core/log-line.ts";
import { parseSince } from "../../lib/durations.ts";
import { AetherError } from "../../lib/errors.ts";
import { readableApp } from "../access.ts";
import type { ServerEnv } from "../context.ts";
import { failures, raw, switching } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appParam } from "../schemas/fields.ts";
import { logLineView, logQuery } from "../schemas/log.ts";
import { streamEnd } from "../stream-end.ts";
import { type Socket, webSocket } from "../web-socket.ts";

const chunked = createRoute({
  method: "get",
  path: "/{app}/logs",
  operationId: "apps.logs",
  summary: "Read an app's output, chunked; follow keeps the answer open",
  request: { params: appParam, query: logQuery },
  responses: {
    ...failures,
    200: raw({ "text/plain": z.string(), "application/x-ndjson": logLineView }, "The lines, oldest first"),
  },
});

const socket = createRoute({
  method: "get",
  path: "/{app}/logs/ws",
  operationId: "apps.logs.socket",
  summary: "Read an app's output by WebSocket, a message a line",
  request: { params: appParam, query: logQuery },
  responses: { ...failures, 101: switching },
});

/** Mounted at /apps. */
export const logRoutes = createRouter()
  .openapi(chunked, async (c) => {
    const query = c.req.valid("query");
    const { app, wanted, isThere } = await asked(c, c.req.valid("param").app, query);
    c.env.keepOpen?.(c.req.raw);
    const { signal, release } = streamEnd(c, { isThere });
    const lines = c.var.control.runtime.logs(app, wanted, signal);
    const headers = {
      "content-type": query.format === "ndjson" ? "application/x-ndjson" : "text/plain; charset=utf-8",
      "cache-control": "no-store",
    };
    const print = printer(query.format);
    return new Response(
      toStream(lines, (line) => `${print(line)}\n`, release),
      { headers },
    );
  })
  .openapi(socket, async (c) => {
    const query = c.req.valid("query");
    const { app, wanted, isThere } = await asked(c, c.req.valid("param").app, query);
    const print = printer(query.format);
    const tell = async ({ signal, send }: Socket) => {
      // The next line is asked for when this one was taken: a slow reader slows its source.
      for await (const line of c.var.control.runtime.logs(app, wanted, signal)) await send(print(line));
    };
    return webSocket(c, tell, { isThere });
  });

/** What is asked for, when it can be given. A stream that follows ends with its app. */
async function asked(
  c: Context<ServerEnv>,
  name: string,
  { follow, since, tail_lines, container, previous }: z.infer<typeof logQuery>,
): Promise<{ app: string; wanted: LogQuery; isThere: (() => Promise<boolean>) | undefined }> {
  const { control } = c.var;
  const app = readableApp(c, name);
  const { id } = await getApp(control.db, app);
  const wanted: LogQuery = {
    follow: isSet(follow),
    previous: isSet(previous),
    ...(since === undefined ? {} : { since: parseSince(since, control.now()) }),
    ...(tail_lines === undefined ? {} : { tailLines: tail_lines }),
    ...(container === undefined ? {} : { container }),
  };
  control.runtime.checkLogs(app, wanted);
  const isThere = () =>
    getApp(control.db, app).then(
      (now) => now.id === id,
      (error: unknown) => {
        if (error instanceof AetherError && error.code === "not_found") return false;
        throw error;
      },
    );
  return { app, wanted, isThere: wanted.follow ? isThere : undefined };
}

const isSet = (flag: string | undefined): boolean => flag === "1" || flag === "true";

const printer = (format: "text" | "ndjson") =>
  format === "ndjson" ? (line: LogLine) => JSON.stringify(line) : printed;

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
