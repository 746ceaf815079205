import { createRoute, z } from "@hono/zod-openapi";
import { createToken, listTokens, revokeToken, rotateToken } from "../../control/tokens.ts";
import { adminOnly } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import {
  expiryOf,
  newToken,
  newTokenView,
  rotatedTokenView,
  rotation,
  tokenParam,
  tokenView,
  toTokenView,
} from "../schemas/token.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "tokens.list",
  summary: "List the tokens made here, newest first, without what they are",
  middleware: adminOnly,
  request: { query: pageQuery },
  responses: { ...failures, 200: json(z.array(tokenView), "The tokens, ended ones as well") },
});

const create = createRoute({
  method: "post",
  path: "/",
  operationId: "tokens.create",
  summary: "Make a token",
  middleware: adminOnly,
  request: { body: jsonBody(newToken) },
  responses: { ...failures, 201: json(newTokenView, "The token, which is shown this once") },
});

const revoke = createRoute({
  method: "delete",
  path: "/{id}",
  operationId: "tokens.revoke",
  summary: "End a token: every server refuses it within five seconds",
  middleware: adminOnly,
  request: { params: tokenParam },
  responses: { ...failures, 200: json(tokenView, "The token, revoked") },
});

const rotate = createRoute({
  method: "post",
  path: "/{id}/rotate",
  operationId: "tokens.rotate",
  summary: "Make a token's successor; the old one ends after the overlap",
  middleware: adminOnly,
  request: { params: tokenParam, body: jsonBody(rotation) },
  responses: { ...failures, 201: json(rotatedTokenView, "The successor, which is shown this once") },
});

/** Mounted at /tokens. */
export const tokenRoutes = createRouter()
  .openapi(list, async (c) => c.json((await listTokens(c.var.control, c.req.valid("query"))).map(toTokenView), 200))
  .openapi(create, async (c) => {
    const { control } = c.var;
    const { name, role, apps, ...expiry } = c.req.valid("json");
    const wanted = { name, role, apps, expiresAt: expiryOf(expiry, control.now()) };
    const { token, secret } = await createToken(control, wanted, actorOf(c));
    c.header("cache-control", "no-store");
    return c.json({ ...toTokenView(token), token: secret }, 201);
  })
  .openapi(revoke, async (c) => {
    const token = await revokeToken(c.var.control, c.req.valid("param").id, actorOf(c));
    c.var.tokenLookup.forget();
    return c.json(toTokenView(token), 200);
  })
  .openapi(rotate, async (c) => {
    const { control } = c.var;
    const { overlap_secs, ...expiry } = c.req.valid("json");
    const wanted = { overlapSecs: overlap_secs, expiresAt: expiryOf(expiry, control.now()), actor: actorOf(c) };
    const { token, secret, previous } = await rotateToken(control, c.req.valid("param").id, wanted);
    c.var.tokenLookup.forget();
    c.header("cache-control", "no-store");
    return c.json({ ...toTokenView(token), token: secret, previous: toTokenView(previous) }, 201);
  });
