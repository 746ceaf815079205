import { join } from "node:path";
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { assertDigest, storeDirectly } from "../../control/direct-upload.ts";
import { appNamePattern } from "../../core/app-name.ts";
import { parseDigest } from "../../core/digest.ts";
import { formatBytes } from "../../lib/bytes.ts";
import { AetherError } from "../../lib/errors.ts";
import { writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import type { ServerEnv } from "../context.ts";
import { failures, json } from "../openapi.ts";
import { receiveForm } from "../receive-form.ts";
import { createRouter } from "../router.ts";
import { legacyUploadView } from "../schemas/artifact.ts";
import { digest, signature } from "../schemas/fields.ts";

const upload = createRoute({
  method: "post",
  path: "/",
  operationId: "artifacts.legacyUpload",
  deprecated: true,
  summary: "Send an artifact through the server",
  description: "Use POST /artifacts/presign and /artifacts/complete instead: bytes then go straight to storage.",
  request: {
    headers: z.object({ "x-aether-artifact-digest": digest, "x-aether-signature": signature.optional() }),
    body: {
      required: true,
      content: {
        "multipart/form-data": {
          // A plain schema, not zod's: the router would read the whole form into memory to validate it.
          schema: {
            type: "object" as const,
            required: ["app_name", "artifact"],
            properties: {
              app_name: { type: "string" as const, pattern: appNamePattern },
              artifact: { type: "string" as const, format: "binary" },
            },
          },
        },
      },
    },
  },
  responses: { ...failures, 200: json(legacyUploadView, "The artifact is stored") },
});

/** Since when it is deprecated (RFC 9745), and what came after it. No date is set for its end. */
const deprecation = {
  "x-aether-deprecated": "true",
  deprecation: `@${Date.UTC(2026, 0, 1) / 1000}`,
  link: '</artifacts/presign>; rel="successor-version"',
};

/** Mounted at /artifacts: the old way, kept for old clients, and the fallback of those that cannot reach the storage. */
export const legacyUploadRoutes = createRouter().openapi(upload, async (c) => {
  for (const [name, value] of Object.entries(deprecation)) c.header(name, value);
  const { control } = c.var;
  control.metrics.legacyUploads.inc();
  const digest = parseDigest(c.req.header("x-aether-artifact-digest"));
  await using form = await receive(c);
  const { fields, file } = form;
  if (file === undefined) throw new AetherError("bad_request", 'The form field "artifact" must be a file.');
  if (fields.app_name === undefined) throw new AetherError("bad_request", '"app_name" is missing.');
  const app = writableApp(c, fields.app_name);
  assertDigest(control, file.digest, digest);
  const request = {
    app,
    digest,
    sizeBytes: file.sizeBytes,
    path: file.path,
    signature: c.req.valid("header")["x-aether-signature"],
  };
  const { artifact, duplicate, verified } = await storeDirectly(control, request, actorOf(c));
  return c.json({ artifact_url: artifact.storageKey, digest, duplicate, app_linked: true, verified }, 200);
});

/** What surrounds the file in a form. */
const formBytes = 64 * 1024;

async function receive(c: Context<ServerEnv>) {
  const { settings, metrics } = c.var.control;
  const { dataFolder, maxArtifactSizeBytes: maxBytes } = settings;
  const tooLarge = (): AetherError => {
    metrics.sizeExceeded.inc();
    return largerThan(maxBytes);
  };
  if (Number(c.req.header("content-length") ?? 0) > maxBytes + formBytes) throw tooLarge();
  const options = { fileField: "artifact", folder: join(dataFolder, "incoming"), maxBytes };
  return receiveForm(c.req.raw, options).catch((error: unknown) => {
    throw error instanceof AetherError && error.code === "size_exceeded" ? tooLarge() : error;
  });
}

const largerThan = (maxBytes: number): AetherError =>
  new AetherError("payload_too_large", `The artifact is larger than the ${formatBytes(maxBytes)} that are accepted.`, {
    hint: "Leave files out with .aetherignore, or raise AETHER_MAX_ARTIFACT_SIZE_BYTES on the server.",
  });
