import { createRoute, z } from "@hono/zod-openapi";
import { getApp } from "../../control/apps.ts";
import { getStoredArtifact, listArtifacts, presignDownload } from "../../control/artifacts.ts";
import { parseDigest } from "../../core/digest.ts";
import { AetherError } from "../../lib/errors.ts";
import { readableApp, readScope } from "../access.ts";
import { failures, json, pageQuery } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { artifactView, toArtifactView } from "../schemas/artifact.ts";
import { appQuery, digestParam, digestPrefix } from "../schemas/fields.ts";

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "artifacts.list",
  summary: "List stored artifacts, newest first",
  request: { query: pageQuery.extend({ ...appQuery.shape, digest_prefix: digestPrefix.optional() }) },
  responses: { ...failures, 200: json(z.array(artifactView), "The artifacts") },
});

const show = createRoute({
  method: "get",
  path: "/{digest}",
  operationId: "artifacts.show",
  summary: "Show a stored artifact; HEAD answers with headers only",
  request: { params: digestParam, query: appQuery },
  responses: { ...failures, 200: json(artifactView, "The artifact") },
});

const meta = createRoute({ ...show, path: "/{digest}/meta", operationId: "artifacts.meta" });

const download = createRoute({
  method: "get",
  path: "/{digest}/download",
  operationId: "artifacts.download",
  summary: "Redirect to a fresh signed URL of the bytes",
  request: { params: digestParam, query: appQuery },
  responses: { ...failures, 307: { description: "Where the bytes are, for a short time" } },
});

/** For a pod this is a gate: what its app has not stored is nothing it may ask about. */
function refusePod(error: unknown): never {
  if (!(error instanceof AetherError) || error.code !== "not_found") throw error;
  throw new AetherError("forbidden", "The app of this pod has no stored artifact of that digest.", {
    cause: error,
    hint: "Deploy it again with aether deploy.",
  });
}

/** Mounted at /artifacts: reading. */
export const artifactRoutes = createRouter()
  .openapi(list, async (c) => {
    const { app, digest_prefix: digestPrefix, ...page } = c.req.valid("query");
    if (app !== undefined) await getApp(c.var.control.db, readableApp(c, app));
    const found = await listArtifacts(c.var.control, { scope: readScope(c, app), digestPrefix, ...page });
    return c.json(found.map(toArtifactView), 200);
  })
  .openapi(show, async (c) => {
    const { digest } = c.req.valid("param");
    const found = await getStoredArtifact(c.var.control, parseDigest(digest), readScope(c, c.req.valid("query").app));
    const view = toArtifactView(found);
    c.header("x-aether-size", String(view.size_bytes));
    c.header("x-aether-verified", String(view.verified));
    c.header("x-aether-completed-at", view.completed_at);
    return c.json(view, 200);
  })
  .openapi(meta, async (c) => {
    const { digest } = c.req.valid("param");
    return c.json(
      toArtifactView(
        await getStoredArtifact(c.var.control, parseDigest(digest), readScope(c, c.req.valid("query").app)),
      ),
      200,
    );
  })
  .openapi(download, async (c) => {
    const { digest } = c.req.valid("param");
    const scope = readScope(c, c.req.valid("query").app);
    const audience = c.var.caller.runs ? "runtime" : "client";
    const presigned = presignDownload(c.var.control, parseDigest(digest), { scope, audience });
    const { url, signature } = await (c.var.caller.runs === "pod" ? presigned.catch(refusePod) : presigned);
    if (signature !== null) c.header("x-aether-signature", signature);
    return c.redirect(url, 307);
  });
