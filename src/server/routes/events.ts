import { createRoute, z } from "@hono/zod-openapi";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { EventListener } from "../../control/event-feed.ts";
import type { EventView } from "../../core/events.ts";
import { AetherError } from "../../lib/errors.ts";
import { readableApp, readScope } from "../access.ts";
import { failures, raw } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { eventView } from "../schemas/event.ts";
import { appQuery } from "../schemas/fields.ts";
import { streamEnd } from "../stream-end.ts";

/** Proxies cut connections that are silent for long. */
const heartbeatMs = 15_000;
/** How soon a client that lost its connection comes back. */
const retryMs = 2_000;

const listen = createRoute({
  method: "get",
  path: "/",
  operationId: "events.listen",
  summary: "What happens, as it happens (server-sent events)",
  description:
    "Each event has its place as `id` and its type as `event`. A client that sends `Last-Event-ID` gets everything after that event; without, what happens from now on. A comment is sent when there was nothing to tell for 15 seconds.",
  request: {
    query: appQuery,
    headers: z.object({
      "last-event-id": z
        .string()
        .regex(/^\d{1,15}$/, "it must be an event's id")
        .optional(),
    }),
  },
  responses: {
    ...failures,
    200: raw({ "text/event-stream": eventView }, "A stream; each `data` is an Event"),
  },
});

/** Mounted at /events. */
export const eventRoutes = createRouter().openapi(listen, async (c) => {
  const { control } = c.var;
  const { app: named } = c.req.valid("query");
  const after = c.req.valid("header")["last-event-id"];
  const scope = readScope(c, named === undefined ? undefined : readableApp(c, named));
  const wanted = ({ app }: EventView) => scope === undefined || (app !== null && scope.includes(app));
  const listener = await control.events.listen(after === undefined ? undefined : Number(after), c.var.caller.id);
  c.env.keepOpen?.(c.req.raw);
  c.header("x-accel-buffering", "no"); // nginx would hold events back
  const gone = new AbortController();
  const { signal: ended, release } = streamEnd(c);
  const signal = AbortSignal.any([ended, gone.signal]);
  return streamSSE(
    c,
    async (stream) => {
      stream.onAbort(() => gone.abort());
      try {
        await tell(stream, { listener, wanted, signal, heartbeatMs });
      } finally {
        listener.close();
        release();
      }
    },
    async (error) => control.log.error("an event stream broke", { error: new AetherError("internal", String(error)) }),
  );
});

interface TellOptions {
  listener: EventListener;
  wanted: (event: EventView) => boolean;
  signal: AbortSignal;
  /** The longest silence; events that are not wanted are silence too. */
  heartbeatMs: number;
}

/** Asks for more only when the last was taken: a slow reader holds up nobody, and nothing piles up for it. */
export async function tell(
  stream: SSEStreamingApi,
  { listener, wanted, signal, heartbeatMs }: TellOptions,
): Promise<void> {
  await stream.write(`retry: ${retryMs}\n\n`);
  let due = performance.now() + heartbeatMs;
  while (!signal.aborted && !listener.isOver()) {
    const events = await listener.next(Math.max(0, due - performance.now()), signal);
    if (signal.aborted || listener.isOver()) return;
    const own = events.filter(wanted);
    for (const event of own) {
      await stream.writeSSE({ id: String(event.id), event: event.type, data: JSON.stringify(event) });
    }
    const isSilent = events.length === 0 || (own.length === 0 && performance.now() >= due);
    if (isSilent) await stream.write(": nothing happened\n\n");
    if (isSilent || own.length > 0) due = performance.now() + heartbeatMs;
  }
}
