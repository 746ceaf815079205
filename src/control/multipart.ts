import { and, eq, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { artifacts } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import type { ListedPart, SignedRequest, UploadedPart } from "../storage/storage.ts";
import type { Actor, Control } from "./control.ts";
import { reserveArtifact, type UploadRequest } from "./reservation.ts";
import { assertSize } from "./upload-size.ts";
import { type Artifact, findArtifact } from "./uploads.ts";

export interface StartedUpload {
  artifact: Artifact;
  uploadId: string;
  /** What the store holds of it already. */
  parts: ListedPart[];
}

/**
 * Starts an upload in parts; one that is under way is given again with its finished parts, so that it can be resumed.
 * `conflict` says what 412 says to a PUT: the bytes are there, and only their completion is missing.
 */
export async function startMultipart(control: Control, request: UploadRequest, actor: Actor): Promise<StartedUpload> {
  control.metrics.multipartInits.inc();
  await control.storage.checkSettings();
  const artifact = await reserveArtifact(control, request, actor);
  if (artifact.status === "stored") {
    throw new AetherError("conflict", "These bytes are stored already.", {
      hint: "Ask for a presigned URL: it answers NONE.",
    });
  }
  if (artifact.status === "verifying") {
    throw new AetherError("conflict", "These bytes are being verified now.", { hint: goOn });
  }
  const parts = await findParts(control, artifact);
  if (artifact.uploadId !== null && parts) return { artifact, uploadId: artifact.uploadId, parts };
  if (await control.storage.head(artifact.storageKey)) {
    throw new AetherError("conflict", "These bytes were sent and joined already.", { hint: goOn });
  }
  const uploadId = await control.storage.startMultipart(artifact.storageKey);
  crashPoint("multipart-created");
  const [updated] = await control.db
    .update(artifacts)
    .set({ uploadId })
    .where(
      and(
        eq(artifacts.id, artifact.id),
        sql`${artifacts.uploadId} is not distinct from ${artifact.uploadId}`,
        eq(artifacts.status, "pending"),
      ),
    )
    .returning();
  if (updated) return { artifact: updated, uploadId, parts: [] };
  await control.storage.abortMultipart(artifact.storageKey, uploadId);
  return startMultipart(control, request, actor);
}

const goOn = "Complete the upload: POST /artifacts/complete.";

/** The parts of the upload that the row names; undefined when it names none, or one that the store has ended. */
async function findParts({ storage }: Control, { storageKey, uploadId }: Artifact): Promise<ListedPart[] | undefined> {
  if (uploadId === null) return undefined;
  return storage.listParts(storageKey, uploadId).catch((error: unknown) => {
    if (error instanceof AetherError && error.code === "not_found") return undefined;
    throw error;
  });
}

export interface PartRequest {
  app: string;
  digest: Digest;
  uploadId: string;
  partNumber: number;
  sizeBytes?: number | undefined;
}

/** A signed PUT for one part of an upload that was started: of its announced size, else of what the artifact lacks. */
export async function presignPart(
  control: Control,
  { app, digest, uploadId, partNumber, sizeBytes }: PartRequest,
): Promise<SignedRequest> {
  const artifact = await getUpload(control, { app, digest, uploadId });
  const limit = artifact.sizeBytes ?? control.settings.maxArtifactSizeBytes;
  // Parts of one size that fit up to this one need no look at the store.
  const mayNotFit = sizeBytes === undefined || partNumber * sizeBytes > limit;
  const held = mayNotFit ? await sizeOfParts(control, artifact, (part) => part !== partNumber) : 0;
  const maxBytes = limit - held;
  if ((sizeBytes ?? 1) > maxBytes) {
    control.metrics.sizeExceeded.inc();
    throw partTooLong(sizeBytes ?? 1, Math.max(0, maxBytes));
  }
  crashPoint("part-presigned");
  control.metrics.multipartPartPresigns.inc();
  if (sizeBytes !== undefined) control.metrics.multipartPartSize.observe(sizeBytes);
  return control.storage.presignPart({
    key: artifact.storageKey,
    uploadId,
    partNumber,
    ...(sizeBytes === undefined ? { maxBytes } : { sizeBytes }),
    expiresSeconds: control.settings.presignExpireSeconds,
  });
}

const partTooLong = (sizeBytes: number, limit: number): AetherError =>
  new AetherError(
    "size_exceeded",
    `A part of ${sizeBytes} bytes is more than the ${limit} that the artifact has left.`,
    {
      hint: "Announce the artifact's whole size with POST /artifacts/multipart/init, and each part's own here.",
    },
  );

async function sizeOfParts(
  { storage }: Control,
  { storageKey, uploadId }: Artifact,
  counts: (partNumber: number) => boolean,
): Promise<number> {
  const parts = uploadId === null ? [] : await storage.listParts(storageKey, uploadId);
  return parts.reduce((sum, part) => (counts(part.partNumber) ? sum + part.sizeBytes : sum), 0);
}

export interface JoinRequest {
  app: string;
  digest: Digest;
  sizeBytes: number;
  uploadId: string;
  parts: UploadedPart[];
}

/**
 * Joins the parts, whose sizes are compared with the announced one before a byte is written. Called again after a lost
 * answer, it finds the object joined and succeeds.
 */
export async function joinParts(control: Control, request: JoinRequest): Promise<void> {
  try {
    await join(control, request);
  } catch (error) {
    control.metrics.multipartCompleteFailures.inc();
    if (error instanceof AetherError && error.code === "digest_mismatch") control.metrics.digestMismatch.inc();
    throw error;
  }
}

async function join(control: Control, { app, digest, sizeBytes, uploadId, parts }: JoinRequest): Promise<void> {
  assertSize(control, sizeBytes);
  const artifact = await findArtifact(control, app, digest);
  if (artifact?.status === "stored") return;
  const upload = await getUpload(control, { app, digest, uploadId });
  if (await control.storage.head(upload.storageKey)) return;
  const named = new Set(parts.map(({ partNumber }) => partNumber));
  const joined = await sizeOfParts(control, upload, (part) => named.has(part));
  for (const announced of [sizeBytes, upload.sizeBytes ?? sizeBytes])
    if (joined !== announced) throw partsDiffer(joined, announced);
  await control.storage.completeMultipart(upload.storageKey, uploadId, parts);
  crashPoint("multipart-joined");
  control.metrics.multipartCompletes.inc();
  control.metrics.multipartParts.observe(parts.length);
}

const partsDiffer = (joined: number, announced: number): AetherError =>
  new AetherError("size_mismatch", `The parts have ${joined} bytes, and ${announced} were announced.`, {
    hint: "Send the parts that are missing or differ again, then complete.",
  });

async function getUpload(
  control: Control,
  { app, digest, uploadId }: { app: string; digest: Digest; uploadId: string },
) {
  const artifact = await findArtifact(control, app, digest);
  const isUnderWay = artifact?.status === "pending" || artifact?.status === "verifying";
  if (isUnderWay && artifact.uploadId === uploadId) return artifact;
  throw new AetherError("not_found", "There is no such multipart upload.", {
    hint: "Start one with POST /artifacts/multipart/init.",
  });
}
