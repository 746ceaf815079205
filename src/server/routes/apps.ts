import { createRoute, z } from "@hono/zod-openapi";
import { setAppLimits } from "../../control/app-limits.ts";
import { removeApp } from "../../control/app-removal.ts";
import { createApp, getApp, listApps } from "../../control/apps.ts";
import { listDeployments } from "../../control/deployments.ts";
import { adminOnly, readableApp, readScope, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appView, changedApp, listedAppView, newApp, toAppLimits, toAppView, toListedAppView } from "../schemas/app.ts";
import { deploymentView, toDeploymentView } from "../schemas/deployment.ts";
import { appParam } from "../schemas/fields.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "apps.list",
  summary: "List the apps",
  request: { query: pageQuery },
  responses: { ...failures, 200: json(z.array(listedAppView), "The apps, by name") },
});

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "apps.create",
  summary: "Create an app",
  request: { body: jsonBody(newApp) },
  responses: { ...failures, 201: json(appView, "The new app") },
});

const show = createRoute({
  method: "get",
  path: "/{app}",
  operationId: "apps.show",
  summary: "Show one app",
  request: { params: appParam },
  responses: { ...failures, 200: json(appView, "The app") },
});

const change = createRoute({
  method: "patch",
  path: "/{app}",
  middleware: adminOnly,
  operationId: "apps.change",
  summary: "Set an app's own quotas and retention; null takes the server's",
  description: "For the role admin: a quota that its app could lift would be none.",
  request: { params: appParam, body: jsonBody(changedApp) },
  responses: { ...failures, 200: json(appView, "The app as it is now") },
});

const remove = createRoute({
  method: "delete",
  path: "/{app}",
  operationId: "apps.remove",
  summary: "Remove an app: what runs, artifacts, deployments and keys",
  description: "The audit stays. Cut off in between, the removal goes on by itself; until it ends, writes answer 409.",
  request: { params: appParam },
  responses: { ...failures, 204: { description: "It is gone, and its name can be used again" } },
});

const showDeployments = createRoute({
  method: "get",
  path: "/{app}/deployments",
  operationId: "apps.deployments",
  summary: "List an app's deployments, newest first",
  request: { params: appParam, query: pageQuery },
  responses: { ...failures, 200: json(z.array(deploymentView), "The deployments") },
});

/** Mounted at /apps. Handlers translate HTTP; decisions live in control/. */
export const appRoutes = createRouter()
  .openapi(list, async (c) => {
    const { control } = c.var;
    const found = await listApps(control, { scope: readScope(c), ...c.req.valid("query") });
    return c.json(
      found.map((listed) => toListedAppView(listed, control.runtime.url(listed.app.name))),
      200,
    );
  })
  .openapi(create, async (c) => {
    const { control } = c.var;
    const app = await createApp(control, writableApp(c, c.req.valid("json").name), actorOf(c));
    return c.json(toAppView(app, control.runtime.url(app.name)), 201);
  })
  .openapi(show, async (c) => {
    const { control } = c.var;
    const app = await getApp(control.db, readableApp(c, c.req.valid("param").app));
    return c.json(toAppView(app, control.runtime.url(app.name)), 200);
  })
  .openapi(change, async (c) => {
    const { control } = c.var;
    const name = writableApp(c, c.req.valid("param").app);
    const app = await setAppLimits(control, name, toAppLimits(c.req.valid("json")), actorOf(c));
    return c.json(toAppView(app, control.runtime.url(app.name)), 200);
  })
  .openapi(remove, async (c) => {
    const { control, rollouts } = c.var;
    const name = writableApp(c, c.req.valid("param").app);
    await removeApp(control, rollouts, name, actorOf(c));
    return c.body(null, 204);
  })
  .openapi(showDeployments, async (c) => {
    const { control } = c.var;
    const app = readableApp(c, c.req.valid("param").app);
    const found = await listDeployments(control, { app, ...c.req.valid("query") });
    return c.json(
      found.map((named) => toDeploymentView(named, control.runtime.url(named.app))),
      200,
    );
  });
