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

// Digests are parsed in the handlers: a missing and a malformed one have codes of their own.
const digest = z.string().optional().openapi({ description: "Lower-case hex SHA-256", pattern: "^[0-9a-f]{64}$" });
const sizeBytes = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export const digestParam = z.object({ digest: z.string().openapi({ param: { name: "digest", in: "path" } }) });
export const appQuery = z.object({ app: z.string().optional() });

export const presignBody = z
  .object({ app_name: z.string(), digest, size_bytes: sizeBytes.optional() })
  .openapi("Presign");
export const completeBody = z
  .object({
    app_name: z.string(),
    digest,
    size_bytes: sizeBytes,
    signature: z.string().optional(),
    idempotency_key: z.string().max(255).optional(),
  })
  .openapi("Complete");
export const partBody = z
  .object({
    app_name: z.string(),
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
  upload_url: z.string().nullable(),
  storage_key: z.string(),
  method: z.enum(["PUT", "NONE"]),
  headers: z.record(z.string(), z.string()),
}) satisfies z.ZodType<PresignView>;

export const completeView = z.object({
  artifact_id: z.string(),
  digest: z.string(),
  duplicate: z.boolean(),
  verified: z.boolean(),
  storage_key: z.string(),
  status: z.literal("stored"),
  idempotency_key: z.string().nullable(),
}) satisfies z.ZodType<CompleteView>;

export const multipartInitView = z.object({
  upload_id: z.string(),
  storage_key: z.string(),
}) satisfies z.ZodType<MultipartInitView>;

export const partView = z.object({
  url: z.string(),
  method: z.literal("PUT"),
  headers: z.record(z.string(), z.string()),
}) satisfies z.ZodType<PartView>;

export const legacyUploadView = z.object({
  artifact_url: z.string(),
  digest: z.string(),
  duplicate: z.boolean(),
  app_linked: z.boolean(),
  verified: z.boolean(),
}) satisfies z.ZodType<LegacyUploadView>;

export const artifactView = z
  .object({
    id: z.string(),
    app: z.string(),
    digest: z.string(),
    size_bytes: z.number(),
    status: z.literal("stored"),
    verified: z.boolean(),
    storage_key: z.string(),
    created_at: z.string(),
    completed_at: z.string(),
  })
  .openapi("Artifact") satisfies z.ZodType<ArtifactView>;

/** A stored row as the API shows it. */
export function toArtifactView({ app, artifact }: NamedArtifact): ArtifactView {
  const completedAt = artifact.completedAt ?? artifact.createdAt;
  return {
    id: artifact.id,
    app,
    digest: artifact.digest,
    size_bytes: artifact.sizeBytes ?? 0,
    status: "stored",
    verified: artifact.verified,
    storage_key: artifact.storageKey,
    created_at: artifact.createdAt.toISOString(),
    completed_at: completedAt.toISOString(),
  };
}
