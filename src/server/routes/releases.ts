import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { CreatedDeployment } from "../../control/deployment-creation.ts";
import { listReleases } from "../../control/releases.ts";
import { restartApp } from "../../control/restart.ts";
import { rollBack } from "../../control/rollback.ts";
import { scaleApp } from "../../control/scale.ts";
import { readableApp, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import type { ServerEnv } from "../context.ts";
import { headerKey } from "../middleware/idempotency.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { reconcileSoon } from "../reconcile-soon.ts";
import { createRouter } from "../router.ts";
import { appParam } from "../schemas/fields.ts";
import {
  createdRelease,
  releaseView,
  restartRequest,
  rollbackRequest,
  scaleRequest,
  scaleView,
  toReleaseView,
} from "../schemas/release.ts";

const list = createRoute({
  method: "get",
  path: "/{app}/releases",
  operationId: "apps.releases",
  summary: "List an app's releases, newest version first",
  request: { params: appParam, query: pageQuery },
  responses: { ...failures, 200: json(z.array(releaseView), "The releases") },
});

const rollback = createRoute({
  method: "post",
  path: "/{app}/rollback",
  operationId: "apps.rollback",
  summary: "Release an earlier version again: its artifact, configuration and variables",
  description:
    "Without `version`: the last one before what runs that ran and is another release. The app's variables become those of that version. `force` allows one that never ran.",
  request: { params: appParam, body: jsonBody(rollbackRequest) },
  responses: { ...failures, 201: json(createdRelease, "The new release, pending") },
});

const restart = createRoute({
  method: "post",
  path: "/{app}/restart",
  operationId: "apps.restart",
  summary: "Release what runs again, with the app's variables as they are now",
  request: { params: appParam, body: jsonBody(restartRequest) },
  responses: { ...failures, 201: json(createdRelease, "The new release, pending") },
});

const scale = createRoute({
  method: "post",
  path: "/{app}/scale",
  operationId: "apps.scale",
  summary: "Say how many replicas an app has, now and with every later release",
  description: "No release is made: what runs goes on. 0 stops the app until it is scaled again.",
  request: { params: appParam, body: jsonBody(scaleRequest) },
  responses: { ...failures, 200: json(scaleView, "What is wanted now") },
});

/** Mounted at /apps. */
export const releaseRoutes = createRouter()
  .openapi(list, async (c) => {
    const { control } = c.var;
    const found = await listReleases(control, readableApp(c, c.req.valid("param").app), c.req.valid("query"));
    return c.json(
      found.map((release) => toReleaseView(release, control.runtime.url(release.app))),
      200,
    );
  })
  .openapi(rollback, async (c) => {
    const app = writableApp(c, c.req.valid("param").app);
    const wanted = { app, ...c.req.valid("json"), idempotencyKey: headerKey(c) };
    return c.json(toCreated(c, await rollBack(c.var.control, wanted, actorOf(c))), 201);
  })
  .openapi(restart, async (c) => {
    const app = writableApp(c, c.req.valid("param").app);
    return c.json(
      toCreated(c, await restartApp(c.var.control, { app, idempotencyKey: headerKey(c) }, actorOf(c))),
      201,
    );
  })
  .openapi(scale, async (c) => {
    const app = writableApp(c, c.req.valid("param").app);
    const { replicas } = c.req.valid("json");
    const scaled = await scaleApp(c.var.control, app, { replicas, actor: actorOf(c) });
    reconcileSoon(c);
    return c.json({ app, replicas, deployment_id: scaled?.id ?? null }, 200);
  });

/** As at first, also when it is a replay. */
function toCreated(c: Context<ServerEnv>, { id, version, originVersion, replayed }: CreatedDeployment) {
  if (replayed) c.header("idempotency-replayed", "true");
  reconcileSoon(c);
  return { id, status: "pending" as const, version, origin_version: originVersion };
}
