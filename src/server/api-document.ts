import type { OpenAPIHono } from "@hono/zod-openapi";
import { version } from "../core/version.ts";
import type { ServerEnv } from "./context.ts";

type ApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;

/** Serves what the routes' own schemas say as OpenAPI 3.1, made once. */
export function describeApi(app: OpenAPIHono<ServerEnv>): void {
  let made: ApiDocument | undefined;
  app.get("/openapi.json", (c) => {
    made ??= apiDocument(app);
    return c.json(made);
  });
}

/** The document of all routes that `app` has. */
export function apiDocument(app: OpenAPIHono<ServerEnv>): ApiDocument {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "aether", version, description, license: { name: "Apache-2.0" } },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }],
  });
  return withTags({
    ...document,
    components: { ...document.components, securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  });
}

/** An operation belongs to the noun that its id begins with: `artifacts.presign`. */
function withTags(document: ApiDocument): ApiDocument {
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, { operationId?: string; tags?: string[] }>)) {
      const noun = operation?.operationId?.split(".")[0];
      if (noun !== undefined) operation.tags = [noun];
    }
  }
  return document;
}

const description = `The control plane of aether: artifacts, deployments, and what they run.

**Access.** A bearer token (\`Authorization: Bearer <token>\`), unless the server listens on loopback only and no token is
configured. A token is for all apps or for some; what belongs to other apps answers 404, as if it did not exist.

**Errors** are flat: \`{"code","message","hint"?,"request_id"}\`. Every answer carries \`X-Request-Id\`.

**Artifacts** go through states: \`pending → verifying → stored\`; \`pending | verifying → expired\` when nobody completes
them in time or they are abandoned; \`verifying → pending\` when size or hash is not what was announced; \`stored →
expired\` by retention. Only stored ones are listed and deployed. \`PUT\` to the presigned URL, then complete.

**Deployments** go \`pending → running | failed\`, and \`running → superseded\` by a newer one or \`stopped\`. A \`pending\` one
is \`superseded\` when a newer one is made before its verdict. Each transition is one transaction with its row in the audit.

**Idempotency.** Every POST takes \`Idempotency-Key\`: the same key with the same body gives the first answer again, with
another body 409 \`idempotency_conflict\`.
`;
