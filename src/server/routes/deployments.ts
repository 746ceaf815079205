import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { createDeployment } from "../../control/deployment-creation.ts";
import { getDeployment, listDeployments } from "../../control/deployments.ts";
import { readableApp, readScope, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import type { ServerEnv } from "../context.ts";
import { headerKey } from "../middleware/idempotency.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { reconcileSoon } from "../reconcile-soon.ts";
import { createRouter } from "../router.ts";
import {
  createdDeployment,
  deploymentParam,
  deploymentStatusView,
  deploymentView,
  newDeployment,
  toDeploymentView,
  toReplicaView,
} from "../schemas/deployment.ts";
import { appQuery } from "../schemas/fields.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "deployments.list",
  summary: "List deployments, newest first",
  request: { query: pageQuery.extend(appQuery.shape) },
  responses: { ...failures, 200: json(z.array(deploymentView), "The deployments") },
});

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "deployments.create",
  summary: "Deploy a stored artifact",
  request: { body: jsonBody(newDeployment) },
  responses: { ...failures, 201: json(createdDeployment, "The deployment, pending") },
});

const show = createRoute({
  method: "get",
  path: "/{id}",
  operationId: "deployments.show",
  summary: "Show one deployment",
  request: { params: deploymentParam },
  responses: { ...failures, 200: json(deploymentStatusView, "The deployment with its replicas") },
});

const status = createRoute({ ...show, path: "/{id}/status", operationId: "deployments.status" });

/** Mounted at /deployments. */
export const deploymentRoutes = createRouter()
  .openapi(list, async (c) => {
    const { control } = c.var;
    const { app, ...page } = c.req.valid("query");
    const found = await listDeployments(control, {
      ...page,
      app: app === undefined ? undefined : readableApp(c, app),
      scope: readScope(c),
    });
    return c.json(
      found.map((named) => toDeploymentView(named, control.runtime.url(named.app))),
      200,
    );
  })
  .openapi(create, async (c) => {
    const { control } = c.var;
    const body = c.req.valid("json");
    const deployment = await createDeployment(
      control,
      {
        app: writableApp(c, body.app_name),
        digest: body.digest,
        artifactUrl: body.artifact_url,
        config: body.config,
        replicas: body.replicas,
        signature: body.signature,
        rollbackOnFailure: body.rollback_on_failure,
        devHot: body.dev_hot,
        idempotencyKey: headerKey(c) ?? body.idempotency_key,
      },
      actorOf(c),
    );
    reconcileSoon(c);
    if (deployment.replayed) c.header("idempotency-replayed", "true");
    return c.json({ id: deployment.id, status: "pending" as const, version: deployment.version }, 201); // as at first
  })
  .openapi(show, async (c) => c.json(await showDeployment(c, c.req.valid("param").id), 200))
  .openapi(status, async (c) => c.json(await showDeployment(c, c.req.valid("param").id), 200));

async function showDeployment(c: Context<ServerEnv>, id: string) {
  const { control } = c.var;
  const found = await getDeployment(control, id, readScope(c));
  const replicas = await control.runtime.replicas(found.app);
  return {
    ...toDeploymentView(found, control.runtime.url(found.app)),
    wanted_replicas: found.replicas,
    replicas: replicas.map(toReplicaView),
  };
}
