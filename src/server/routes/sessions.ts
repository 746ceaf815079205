import { createRoute, z } from "@hono/zod-openapi";
import { findReplica, findRunnable } from "../../control/sessions.ts";
import { reachableApp, writableApp } from "../access.ts";
import { failures, queryNumber, switching } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appParam } from "../schemas/fields.ts";
import { serveCommand, serveConnection } from "../session.ts";
import { webSocket } from "../web-socket.ts";

const replica = z.string().min(1).max(253).optional().openapi({ description: "One that status shows; absent: any" });

const frames =
  "Binary messages whose first byte is the channel: 0 stdin, 1 stdout, 2 stderr, 3 JSON; the documentation page `sessions` describes them.";

const exec = createRoute({
  method: "get",
  path: "/{app}/exec/ws",
  operationId: "apps.exec",
  summary: "Run a command in a replica, by WebSocket",
  description: frames,
  request: { params: appParam, query: z.object({ replica }) },
  responses: { ...failures, 101: switching },
});

const run = createRoute({
  method: "get",
  path: "/{app}/run/ws",
  operationId: "apps.run",
  summary: "Run a command of the release that serves, in a replica of its own, by WebSocket",
  description: frames,
  request: { params: appParam },
  responses: { ...failures, 101: switching },
});

const forward = createRoute({
  method: "get",
  path: "/{app}/port-forward/ws",
  operationId: "apps.forward",
  summary: "One connection to a port of a replica, by WebSocket",
  description: frames,
  request: {
    params: appParam,
    query: z.object({
      replica,
      port: queryNumber(1, 65_535).optional().openapi({ description: "Absent: where the application listens" }),
    }),
  },
  responses: { ...failures, 101: switching },
});

/** Mounted at /apps. Whoever may deploy an app may do as it does, and see what it sees; readers may not. */
export const sessionRoutes = createRouter()
  .openapi(exec, async (c) => {
    const app = writableApp(c, c.req.valid("param").app);
    const target = await findReplica(c.var.control, app, c.req.valid("query").replica);
    return webSocket(c, (socket) => serveCommand(c, socket, target));
  })
  .openapi(run, async (c) => {
    const app = writableApp(c, c.req.valid("param").app);
    const target = await findRunnable(c.var.control, app);
    return webSocket(c, (socket) => serveCommand(c, socket, target));
  })
  .openapi(forward, async (c) => {
    const app = reachableApp(c, c.req.valid("param").app);
    const { replica, port } = c.req.valid("query");
    const target = await findReplica(c.var.control, app, replica);
    return webSocket(c, (socket) => serveConnection(c, socket, { ...target, port }));
  });
