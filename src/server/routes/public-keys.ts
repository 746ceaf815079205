import { createRoute, z } from "@hono/zod-openapi";
import { addKey, listKeys, revokeKey } from "../../control/keys.ts";
import { readableApp, writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { appParam } from "../schemas/fields.ts";
import { newPublicKey, publicKeyParam, publicKeyView, toPublicKeyView } from "../schemas/public-key.ts";

const list = createRoute({
  method: "get",
  path: "/{app}/public-keys",
  operationId: "public-keys.list",
  summary: "List the public keys of an app, revoked ones included",
  request: { params: appParam, query: pageQuery },
  responses: { ...failures, 200: json(z.array(publicKeyView), "The keys, oldest first") },
});

const add = createRoute({
  method: "post",
  path: "/{app}/public-keys",
  operationId: "public-keys.add",
  summary: "Let a key sign for an app; several may be active",
  request: { params: appParam, body: jsonBody(newPublicKey) },
  responses: { ...failures, 201: json(publicKeyView, "The key is active") },
});

const revoke = createRoute({
  method: "delete",
  path: "/{app}/public-keys/{hex}",
  operationId: "public-keys.revoke",
  summary: "Revoke a key, for ever: what it signed counts as unsigned",
  request: { params: publicKeyParam },
  responses: { ...failures, 204: { description: "It is revoked" } },
});

/** Mounted at /apps. */
export const publicKeyRoutes = createRouter()
  .openapi(list, async (c) => {
    const keys = await listKeys(c.var.control, readableApp(c, c.req.valid("param").app), c.req.valid("query"));
    return c.json(keys.map(toPublicKeyView), 200);
  })
  .openapi(add, async (c) => {
    const { public_key_hex } = c.req.valid("json");
    const key = await addKey(c.var.control, writableApp(c, c.req.valid("param").app), public_key_hex, actorOf(c));
    return c.json(toPublicKeyView(key), 201);
  })
  .openapi(revoke, async (c) => {
    const { app, hex } = c.req.valid("param");
    await revokeKey(c.var.control, writableApp(c, app), hex, actorOf(c));
    return c.body(null, 204);
  });
