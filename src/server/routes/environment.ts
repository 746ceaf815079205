import { createRoute, z } from "@hono/zod-openapi";
import { listVariables, revealVariables } from "../../control/app-variables.ts";
import { changeEnvironment } from "../../control/environment.ts";
import { assertWriter, readableApp, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody } from "../openapi.ts";
import { reconcileSoon } from "../reconcile-soon.ts";
import { createRouter } from "../router.ts";
import {
  changedEnvironment,
  environmentChanged,
  newEnvironment,
  revealQuery,
  toEnvironmentChanged,
  toVariableView,
  variableView,
} from "../schemas/environment.ts";
import { appParam } from "../schemas/fields.ts";

const show = createRoute({
  method: "get",
  path: "/{app}/env",
  operationId: "apps.env",
  summary: "List an app's variables, without their values",
  description: "With `reveal=1` the values too, for the roles deployer and admin; the audit says who asked.",
  request: { params: appParam, query: revealQuery },
  responses: { ...failures, 200: json(z.array(variableView), "The variables, by name") },
});

const change = createRoute({
  method: "patch",
  path: "/{app}/env",
  operationId: "apps.env.change",
  summary: "Set and unset variables, and release what runs again with them",
  request: { params: appParam, body: jsonBody(changedEnvironment) },
  responses: { ...failures, 200: json(environmentChanged, "The names that the app has now, and the release") },
});

const replace = createRoute({
  method: "put",
  path: "/{app}/env",
  operationId: "apps.env.replace",
  summary: "Give an app these variables and no others, and release what runs again with them",
  request: { params: appParam, body: jsonBody(newEnvironment) },
  responses: { ...failures, 200: json(environmentChanged, "The names that the app has now, and the release") },
});

/** Mounted at /apps. */
export const environmentRoutes = createRouter()
  .openapi(show, async (c) => {
    const { control } = c.var;
    const app = readableApp(c, c.req.valid("param").app);
    const reveal = c.req.valid("query").reveal === "1";
    if (reveal) assertWriter(c.var.caller);
    c.header("cache-control", "no-store");
    const found = reveal ? await revealVariables(control, app, actorOf(c)) : await listVariables(control, app);
    return c.json(found.map(toVariableView), 200);
  })
  .openapi(change, async (c) => {
    const { rollback_on_failure: rollbackOnFailure, ...body } = c.req.valid("json");
    const app = writableApp(c, c.req.valid("param").app);
    const changed = await changeEnvironment(c.var.control, { app, rollbackOnFailure, ...body }, actorOf(c));
    reconcileSoon(c);
    return c.json(toEnvironmentChanged(changed), 200);
  })
  .openapi(replace, async (c) => {
    const { rollback_on_failure: rollbackOnFailure, ...body } = c.req.valid("json");
    const app = writableApp(c, c.req.valid("param").app);
    const wanted = { app, rollbackOnFailure, ...body, unset: [], replace: true };
    const changed = await changeEnvironment(c.var.control, wanted, actorOf(c));
    reconcileSoon(c);
    return c.json(toEnvironmentChanged(changed), 200);
  });
