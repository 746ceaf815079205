import { createRoute } from "@hono/zod-openapi";
import type { Completion } from "../../control/completion.ts";
import { abandonUpload } from "../../control/expiry.ts";
import { joinParts, presignPart, startMultipart } from "../../control/multipart.ts";
import { completeSigned } from "../../control/signatures.ts";
import { presignUpload } from "../../control/uploads.ts";
import { parseDigest } from "../../core/digest.ts";
import type { CompleteView, HeldPart } from "../../core/wire.ts";
import type { ListedPart } from "../../storage/storage.ts";
import { writableApp } from "../access.ts";
import { actorOf } from "../actor.ts";
import { failures, json, jsonBody } from "../openapi.ts";
import { createRouter } from "../router.ts";
import {
  completeBody,
  completeView,
  joinBody,
  multipartInitView,
  partBody,
  partView,
  presignBody,
  presignView,
} from "../schemas/artifact.ts";
import { digestParam, oneAppQuery } from "../schemas/fields.ts";

const presign = createRoute({
  method: "post",
  path: "/presign",
  operationId: "artifacts.presign",
  summary: "Ask for a signed PUT; NONE when the bytes are stored",
  request: { body: jsonBody(presignBody) },
  responses: { ...failures, 200: json(presignView, "The request to send, every header verbatim") },
});

const complete = createRoute({
  method: "post",
  path: "/complete",
  operationId: "artifacts.complete",
  summary: "Verify uploaded bytes and make them an artifact",
  request: { body: jsonBody(completeBody) },
  responses: { ...failures, 200: json(completeView, "The artifact is stored") },
});

const start = createRoute({
  method: "post",
  path: "/multipart/init",
  operationId: "artifacts.multipart.init",
  summary: "Start an upload in parts, or find the one under way and what it holds",
  request: { body: jsonBody(presignBody) },
  responses: { ...failures, 200: json(multipartInitView, "The upload") },
});

const part = createRoute({
  method: "post",
  path: "/multipart/presign-part",
  operationId: "artifacts.multipart.presignPart",
  summary: "Ask for a signed PUT of one part",
  request: { body: jsonBody(partBody) },
  responses: { ...failures, 200: json(partView, "The request to send") },
});

const join = createRoute({
  method: "post",
  path: "/multipart/complete",
  operationId: "artifacts.multipart.complete",
  summary: "Join the parts, verify the bytes and make them an artifact",
  request: { body: jsonBody(joinBody) },
  responses: { ...failures, 200: json(completeView, "The artifact is stored") },
});

const abandon = createRoute({
  method: "delete",
  path: "/{digest}/upload",
  operationId: "artifacts.abandon",
  summary: "Give up a pending upload: row, bytes and URLs",
  request: { params: digestParam, query: oneAppQuery },
  responses: { ...failures, 204: { description: "It is gone" } },
});

/** Mounted at /artifacts: writing, in two phases. */
export const uploadRoutes = createRouter()
  .openapi(presign, async (c) => {
    const { app_name, digest, size_bytes, app_id } = c.req.valid("json");
    const app = writableApp(c, app_name);
    const request = { app, appId: app_id, digest: parseDigest(digest), sizeBytes: size_bytes };
    const { artifact, signed } = await presignUpload(c.var.control, request, actorOf(c));
    const { appId: uploadedTo, storageKey: storage_key } = artifact;
    const view = { app_id: uploadedTo, storage_key, upload_url: signed?.url ?? null, headers: signed?.headers ?? {} };
    return c.json({ ...view, method: signed ? ("PUT" as const) : ("NONE" as const) }, 200);
  })
  .openapi(complete, async (c) => {
    const { app_name, digest, size_bytes, signature, idempotency_key } = c.req.valid("json");
    const signed = { digest: parseDigest(digest), signature };
    const completion = { app: writableApp(c, app_name), sizeBytes: size_bytes, ...signed };
    return c.json(
      toCompleteView(await completeSigned(c.var.control, completion, actorOf(c)), completion, idempotency_key),
      200,
    );
  })
  .openapi(start, async (c) => {
    const { app_name, digest, size_bytes, app_id } = c.req.valid("json");
    const app = writableApp(c, app_name);
    const request = { app, appId: app_id, digest: parseDigest(digest), sizeBytes: size_bytes };
    const { artifact, uploadId, parts } = await startMultipart(c.var.control, request, actorOf(c));
    const { appId, storageKey: storage_key } = artifact;
    const view = { app_id: appId, upload_id: uploadId, storage_key, parts: parts.map(toHeldPartView) };
    return c.json(view, 200);
  })
  .openapi(part, async (c) => {
    const { app_name, digest, upload_id, part_number, size_bytes } = c.req.valid("json");
    const upload = { app: writableApp(c, app_name), digest: parseDigest(digest), uploadId: upload_id };
    const wanted = { ...upload, partNumber: part_number, sizeBytes: size_bytes };
    const { url, headers } = await presignPart(c.var.control, wanted);
    return c.json({ url, method: "PUT" as const, headers }, 200);
  })
  .openapi(join, async (c) => {
    const { app_name, digest, size_bytes, signature, upload_id, parts, idempotency_key } = c.req.valid("json");
    const signed = { digest: parseDigest(digest), signature };
    const completion = { app: writableApp(c, app_name), sizeBytes: size_bytes, ...signed };
    const received = parts.map(({ part_number, etag }) => ({ partNumber: part_number, etag }));
    await joinParts(c.var.control, { ...completion, uploadId: upload_id, parts: received });
    return c.json(
      toCompleteView(await completeSigned(c.var.control, completion, actorOf(c)), completion, idempotency_key),
      200,
    );
  })
  .openapi(abandon, async (c) => {
    const { app } = c.req.valid("query");
    await abandonUpload(c.var.control, writableApp(c, app), parseDigest(c.req.valid("param").digest), actorOf(c));
    return c.body(null, 204);
  });

const toHeldPartView = ({ partNumber, sizeBytes, etag }: ListedPart): HeldPart => ({
  part_number: partNumber,
  size_bytes: sizeBytes,
  etag,
});

function toCompleteView(
  { artifact, duplicate, verified }: Awaited<ReturnType<typeof completeSigned>>,
  { digest }: Completion,
  key: string | undefined,
): CompleteView {
  return {
    artifact_id: artifact.id,
    digest,
    duplicate,
    verified,
    storage_key: artifact.storageKey,
    status: "stored",
    idempotency_key: key ?? null,
  };
}
