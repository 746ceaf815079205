import { createRoute, z } from "@hono/zod-openapi";
import { completeUpload } from "../../control/completion.ts";
import { presignUpload } from "../../control/uploads.ts";
import { parseDigest } from "../../core/digest.ts";
import { AetherError } from "../../lib/errors.ts";
import { writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json } from "../openapi.ts";
import { createRouter } from "../router.ts";
import { legacyUploadView } from "../schemas/artifact.ts";
import { appName, digest } from "../schemas/fields.ts";

const upload = createRoute({
  method: "post",
  path: "/",
  operationId: "artifacts.legacyUpload",
  deprecated: true,
  summary: "Send an artifact through the server",
  description: "Use POST /artifacts/presign and /artifacts/complete instead: bytes then go straight to storage.",
  request: {
    headers: z.object({ "x-aether-artifact-digest": digest }),
    body: {
      required: true,
      content: {
        "multipart/form-data": {
          schema: z.object({ app_name: appName, artifact: z.any().openapi({ type: "string", format: "binary" }) }),
        },
      },
    },
  },
  responses: { ...failures, 200: json(legacyUploadView, "The artifact is stored") },
});

/** Mounted at /artifacts: the old way, kept for old clients. */
export const legacyUploadRoutes = createRouter().openapi(upload, async (c) => {
  c.header("x-aether-deprecated", "true");
  const { control } = c.var;
  control.metrics.legacyUploads.inc();
  const form = c.req.valid("form");
  const app = writableApp(c, form.app_name);
  const digest = parseDigest(c.req.header("x-aether-artifact-digest"));
  const artifact: unknown = form.artifact;
  if (!(artifact instanceof Blob)) throw new AetherError("bad_request", 'The form field "artifact" must be a file.');
  const request = { app, digest, sizeBytes: artifact.size, audience: "runtime" } as const;
  const { artifact: reserved, signed } = await presignUpload(control, request, actorOf(c));
  const measured = control.storage.kind === "filesystem" ? () => {} : control.metrics.putDuration.startTimer();
  if (signed) await put(artifact, signed).finally(measured);
  const { duplicate, artifact: stored } = await completeUpload(control, request, actorOf(c));
  const view = { artifact_url: reserved.storageKey, digest, duplicate, app_linked: true, verified: stored.verified };
  return c.json(view, 200);
});

/** The store refuses what is not the digest; an object that is there already is as good. */
async function put(
  body: Blob,
  { url, method, headers }: { url: string; method: string; headers: Record<string, string> },
) {
  const response = await fetch(url, { method, headers, body });
  if (response.ok || response.status === 412) return;
  if (response.status === 400)
    throw new AetherError("digest_mismatch", "The artifact does not hash to the digest announced.");
  throw new AetherError("service_unavailable", `The storage answered ${response.status}.`);
}
