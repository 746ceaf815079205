import { z } from "@hono/zod-openapi";
import type { NamedArtifact } from "../../control/artifacts.ts";
import type {
  ArtifactView,
  CompleteView,
  LegacyUploadView,
  MultipartInitView,
  PartView,
  PresignView,
} from "../../core/wire.ts";
import { appName, digest, idempotencyKey, publicKey, signature, sizeBytes, time } from "./fields.ts";

export const presignBody = z
  .object({
    app_name: appName,
    digest,
    size_bytes: sizeBytes.optional(),
    app_id: z
      .uuid()
      .optional()
      .openapi({ description: "It must be this app, as an earlier answer named it; it is not created then" }),
  })
  .openapi("Presign");
export const completeBody = z
  .object({
    app_name: appName,
    digest,
    size_bytes: sizeBytes,
    signature: signature.optional(),
    idempotency_key: idempotencyKey.optional(),
  })
  .openapi("Complete");
export const partBody = z
  .object({
    app_name: appName,
    digest,
    upload_id: z.string(),
    part_number: z.number().int().min(1).max(10_000),
    size_bytes: sizeBytes
      .optional()
      .openapi({ description: "The part's own length; without it, at most what is missing" }),
  })
  .openapi("PresignPart");
export const joinBody = completeBody
  .extend({
    upload_id: z.string(),
    parts: z
      .array(z.object({ part_number: z.number().int().min(1).max(10_000), etag: z.string().max(200) }))
      .min(1)
      .max(10_000),
  })
  .openapi("CompleteMultipart");

export const presignView = z.object({
  app_id: z.uuid(),
  upload_url: z.string().nullable(),
  storage_key: z.string(),
  method: z.enum(["PUT", "NONE"]),
  headers: z.record(z.string(), z.string()),
}) satisfies z.ZodType<PresignView>;

export const completeView = z.object({
  artifact_id: z.string(),
  digest,
  duplicate: z.boolean(),
  verified: z.boolean(),
  storage_key: z.string(),
  status: z.literal("stored"),
  idempotency_key: z.string().nullable(),
}) satisfies z.ZodType<CompleteView>;

export const multipartInitView = z.object({
  app_id: z.uuid(),
  upload_id: z.string(),
  storage_key: z.string(),
  parts: z
    .array(z.object({ part_number: z.number(), size_bytes: z.number(), etag: z.string() }))
    .openapi({ description: "Finished parts of an upload under way: name them at completion, and send the others" }),
}) satisfies z.ZodType<MultipartInitView>;

export const partView = z.object({
  url: z.string(),
  method: z.literal("PUT"),
  headers: z.record(z.string(), z.string()),
}) satisfies z.ZodType<PartView>;

export const legacyUploadView = z.object({
  artifact_url: z.string(),
  digest,
  duplicate: z.boolean(),
  app_linked: z.boolean(),
  verified: z.boolean(),
}) satisfies z.ZodType<LegacyUploadView>;

export const artifactView = z
  .object({
    id: z.string(),
    app: z.string(),
    digest,
    size_bytes: z.number(),
    status: z.literal("stored"),
    verified: z.boolean().openapi({ description: "Signed by a public key of the app that is active now" }),
    hashed: z.boolean().openapi({ description: "The stored bytes were hashed again by the server" }),
    storage_key: z.string(),
    signature: signature.nullable(),
    signed_by: publicKey.nullable(),
    created_at: time,
    completed_at: time,
  })
  .openapi("Artifact") satisfies z.ZodType<ArtifactView>;

/** A stored row as the API shows it. */
export function toArtifactView({ app, artifact, verified }: NamedArtifact): ArtifactView {
  const completedAt = artifact.completedAt ?? artifact.createdAt;
  return {
    id: artifact.id,
    app,
    digest: artifact.digest,
    size_bytes: artifact.sizeBytes ?? 0,
    status: "stored",
    verified,
    hashed: artifact.verified,
    storage_key: artifact.storageKey,
    signature: artifact.signature,
    signed_by: artifact.signedBy,
    created_at: artifact.createdAt.toISOString(),
    completed_at: completedAt.toISOString(),
  };
}
