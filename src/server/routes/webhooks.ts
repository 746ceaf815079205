import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import {
  createWebhook,
  listDeliveries,
  listWebhooks,
  removeWebhook,
  type WebhookScope,
} from "../../control/webhooks.ts";
import { assertAdmin, assertAllApps, assertWriter, isAdmin, readScope, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import type { ServerEnv } from "../context.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import {
  deliveryView,
  newWebhook,
  toDeliveryView,
  toWebhookView,
  webhookParam,
  webhookView,
} from "../schemas/webhook.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "webhooks.list",
  summary: "List the webhooks, oldest first",
  description: "Those of the apps that the token is for; those for all apps are shown to admins.",
  request: { query: pageQuery },
  responses: { ...failures, 200: json(z.array(webhookView), "The webhooks, without their secrets") },
});

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "webhooks.create",
  summary: "Have events sent to a URL",
  description:
    "Each event is POSTed as JSON with `X-Aether-Event`, `X-Aether-Delivery` and `X-Aether-Signature: t=<unix>,v1=<hex HMAC-SHA256(secret, t + '.' + body)>`, at least once, for a day until a 2xx answers. Redirects are not followed; link-local and metadata addresses are refused, private ones unless the server allows them.",
  request: { body: jsonBody(newWebhook) },
  responses: { ...failures, 201: json(webhookView, "The new webhook") },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "webhooks.remove",
  summary: "Remove a webhook, with what was still to be sent",
  request: { params: webhookParam },
  responses: { ...failures, 204: { description: "It is gone" } },
});

const deliveries = createRoute({
  method: "get",
  path: "/{id}/deliveries",
  operationId: "webhooks.deliveries",
  summary: "List what was and will be sent, newest event first",
  request: { params: webhookParam, query: pageQuery },
  responses: { ...failures, 200: json(z.array(deliveryView), "The deliveries") },
});

/** Mounted at /webhooks. */
export const webhookRoutes = createRouter()
  .openapi(list, async (c) => {
    const found = await listWebhooks(c.var.control, { ...c.req.valid("query"), ...ownScope(c) });
    return c.json(found.map(toWebhookView), 200);
  })
  .openapi(create, async (c) => {
    const wanted = c.req.valid("json");
    assertWriter(c.var.caller);
    if (wanted.app !== undefined) writableApp(c, wanted.app);
    else {
      assertAdmin(c.var.caller);
      assertAllApps(c.var.caller);
    }
    return c.json(toWebhookView(await createWebhook(c.var.control, wanted, actorOf(c))), 201);
  })
  .openapi(remove, async (c) => {
    assertWriter(c.var.caller);
    await removeWebhook(c.var.control, c.req.valid("param").id, { ...ownScope(c), actor: actorOf(c) });
    return c.body(null, 204);
  })
  .openapi(deliveries, async (c) => {
    const page = { ...c.req.valid("query"), ...ownScope(c) };
    const found = await listDeliveries(c.var.control, c.req.valid("param").id, page);
    return c.json(found.map(toDeliveryView), 200);
  });

// Those for all apps tell of every app, and are the admins': to anyone else they are not there.
function ownScope(c: Context<ServerEnv>): WebhookScope {
  return { scope: readScope(c), appsOnly: !isAdmin(c.var.caller) };
}
