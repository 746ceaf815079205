import { createRoute, z } from "@hono/zod-openapi";
import { lockReleases, unlockReleases } from "../../control/locks.ts";
import { writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appView, toAppView } from "../schemas/app.ts";
import { appParam } from "../schemas/fields.ts";

const newLock = z.strictObject({ reason: z.string().trim().min(1).max(500) }).openapi("NewLock");

const lock = createRoute({
  method: "put",
  path: "/{app}/lock",
  operationId: "apps.lock",
  summary: "Lock an app: no deploy, rollback, restart or change of variables is released until it is unlocked",
  request: { params: appParam, body: jsonBody(newLock) },
  responses: { ...failures, 200: json(appView, "The locked app") },
});

const unlock = createRoute({
  method: "delete",
  path: "/{app}/lock",
  operationId: "apps.unlock",
  summary: "Unlock an app, whoever locked it",
  request: { params: appParam },
  responses: { ...failures, 200: json(appView, "The app") },
});

/** Mounted at /apps. */
export const lockRoutes = createRouter()
  .openapi(lock, async (c) => {
    const { control } = c.var;
    const name = writableApp(c, c.req.valid("param").app);
    const { reason } = c.req.valid("json");
    const app = await lockReleases(control, name, { reason, actor: actorOf(c) });
    return c.json(toAppView(app, control.runtime.url(app.name)), 200);
  })
  .openapi(unlock, async (c) => {
    const { control } = c.var;
    const app = await unlockReleases(control, writableApp(c, c.req.valid("param").app), actorOf(c));
    return c.json(toAppView(app, control.runtime.url(app.name)), 200);
  });
