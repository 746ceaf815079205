import { randomUUID } from "node:crypto";
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { artifactKey, type SignedRequest, type UploadedPart } from "../storage/storage.ts";
import { type App, ensureApp, getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";

export type Artifact = typeof artifacts.$inferSelect;

export interface UploadRequest {
  app: string;
  digest: Digest;
  sizeBytes?: number | undefined;
}

/** A signed PUT for bytes that are not stored yet; `signed` is undefined when they are. Asking again is harmless. */
export async function presignUpload(
  control: Control,
  request: UploadRequest,
  actor: Actor,
): Promise<{ artifact: Artifact; signed: SignedRequest | undefined }> {
  const artifact = await reserveArtifact(control, request, actor);
  if (artifact.status === "stored") return { artifact, signed: undefined };
  const signed = await control.storage.presignPut({
    key: artifact.storageKey,
    digest: request.digest,
    ...(request.sizeBytes === undefined ? {} : { sizeBytes: request.sizeBytes }),
    expiresSeconds: control.settings.presignExpireSeconds,
  });
  return { artifact, signed };
}

/** Starts an upload in parts; the id of one that is under way is given again, so that it can be resumed. */
export async function startMultipart(control: Control, request: UploadRequest, actor: Actor): Promise<Artifact> {
  const artifact = await reserveArtifact(control, request, actor);
  if (artifact.status === "stored") {
    throw new AetherError("conflict", "These bytes are stored already.", {
      hint: "Ask for a presigned URL: it answers NONE.",
    });
  }
  if (artifact.uploadId !== null) return artifact;
  const uploadId = await control.storage.startMultipart(artifact.storageKey);
  const [updated] = await control.db
    .update(artifacts)
    .set({ uploadId })
    .where(and(eq(artifacts.id, artifact.id), sql`${artifacts.uploadId} is null`, eq(artifacts.status, "pending")))
    .returning();
  if (updated) return updated;
  await control.storage.abortMultipart(artifact.storageKey, uploadId);
  return startMultipart(control, request, actor);
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
  if (sizeBytes !== undefined && sizeBytes > limit) throw partTooLong(sizeBytes, limit);
  const maxBytes = sizeBytes ?? limit - (await sizeOfParts(control, artifact, (part) => part !== partNumber));
  if (maxBytes <= 0) throw partTooLong(1, 0);
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

/** Joins the parts, whose sizes are compared with the announced one before a byte is written. Called again after a lost answer, it finds the object joined and succeeds. */
export async function joinParts(
  control: Control,
  { app, digest, sizeBytes, uploadId, parts }: JoinRequest,
): Promise<void> {
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
}

const partsDiffer = (joined: number, announced: number): AetherError =>
  new AetherError("size_mismatch", `The parts have ${joined} bytes, and ${announced} were announced.`, {
    hint: "Send the parts that are missing or differ again, then complete.",
  });

/** Gives up a pending upload: its row expires, its bytes go, its URLs stop. */
export async function abandonUpload(control: Control, app: string, digest: Digest, actor: Actor): Promise<void> {
  const { id } = await getApp(control.db, app);
  await control.db.transaction(async (tx) => {
    const [artifact] = await tx
      .select()
      .from(artifacts)
      .where(and(eq(artifacts.appId, id), eq(artifacts.digest, digest)))
      .for("update");
    if (artifact?.status !== "pending")
      throw new AetherError("not_found", "There is no pending upload of this digest.");
    await expireUpload(control, tx, artifact, actor);
  });
}

/** Removes pending uploads whose time is over, in the database and in storage; returns how many. */
export async function expirePendingUploads(control: Control, actor: Actor): Promise<number> {
  const { db, now } = control;
  const overdue = await db
    .select({ id: artifacts.id })
    .from(artifacts)
    .where(
      and(inArray(artifacts.status, ["pending", "verifying"]), sql`${artifacts.expiresAt} < ${now().toISOString()}`),
    )
    .limit(500);
  let expired = 0;
  for (const { id } of overdue) {
    await db.transaction(async (tx) => {
      const [artifact] = await tx.select().from(artifacts).where(eq(artifacts.id, id)).for("update");
      const waiting = artifact?.status === "pending" || artifact?.status === "verifying";
      if (!artifact || !waiting || artifact.expiresAt === null || artifact.expiresAt >= now()) return;
      await expireUpload(control, tx, artifact, actor);
      expired += 1;
    });
  }
  return expired;
}

/** The artifact row of an app and a digest, in whatever state. */
export async function findArtifact({ db }: Control, app: string, digest: Digest): Promise<Artifact | undefined> {
  const { id } = await getApp(db, app);
  const [artifact] = await db
    .select()
    .from(artifacts)
    .where(and(eq(artifacts.appId, id), eq(artifacts.digest, digest)));
  return artifact;
}

async function reserveArtifact(control: Control, request: UploadRequest, actor: Actor): Promise<Artifact> {
  assertSize(control, request.sizeBytes);
  const app = await ensureApp(control, request.app, actor);
  return control.db.transaction(async (tx) => {
    const inserted = await insertPending(control, tx, { app, request, actor });
    return inserted ?? renewPending(control, tx, { app, request, actor });
  });
}

type Reservation = { app: App; request: UploadRequest; actor: Actor };

async function insertPending(
  control: Control,
  tx: Tx,
  { app, request, actor }: Reservation,
): Promise<Artifact | undefined> {
  const at = control.now();
  const [artifact] = await tx
    .insert(artifacts)
    .values({
      id: randomUUID(),
      appId: app.id,
      digest: request.digest,
      sizeBytes: request.sizeBytes ?? null,
      status: "pending",
      storageKey: artifactKey(app.name, request.digest),
      verified: false,
      presignedAt: at,
      createdAt: at,
      expiresAt: expiry(control),
    })
    .onConflictDoNothing()
    .returning();
  if (artifact) await recordArtifact(tx, actor, artifact, null, at);
  return artifact;
}

async function renewPending(control: Control, tx: Tx, { app, request, actor }: Reservation): Promise<Artifact> {
  const [artifact] = await tx
    .select()
    .from(artifacts)
    .where(and(eq(artifacts.appId, app.id), eq(artifacts.digest, request.digest)))
    .for("update");
  if (!artifact)
    throw new AetherError("conflict", "The artifact was removed while it was asked for.", { hint: "Try again." });
  if (artifact.status === "stored" || artifact.status === "verifying") return artifact;
  const at = control.now();
  const [renewed = artifact] = await tx
    .update(artifacts)
    .set({ status: "pending", presignedAt: at, expiresAt: expiry(control), sizeBytes: request.sizeBytes ?? null })
    .where(eq(artifacts.id, artifact.id))
    .returning();
  if (artifact.status !== "pending") await recordArtifact(tx, actor, renewed, artifact.status, at);
  return renewed;
}

// Storage first: a crash before the commit leaves a row that is expired again, never bytes that nobody knows of.
async function expireUpload({ storage, now }: Control, tx: Tx, artifact: Artifact, actor: Actor): Promise<void> {
  if (artifact.uploadId !== null) await storage.abortMultipart(artifact.storageKey, artifact.uploadId);
  await storage.remove(artifact.storageKey);
  await tx
    .update(artifacts)
    .set({ status: "expired", uploadId: null, expiresAt: null })
    .where(eq(artifacts.id, artifact.id));
  await recordArtifact(tx, actor, { ...artifact, status: "expired" }, artifact.status, now());
}

async function getUpload(
  control: Control,
  { app, digest, uploadId }: { app: string; digest: Digest; uploadId: string },
) {
  const artifact = await findArtifact(control, app, digest);
  if (artifact?.uploadId === uploadId && artifact.status !== "stored") return artifact;
  throw new AetherError("not_found", "There is no such multipart upload.", {
    hint: "Start one with POST /artifacts/multipart/init.",
  });
}

/** Refuses sizes that can never be stored. */
export function assertSize({ settings }: Control, sizeBytes: number | undefined): void {
  if (sizeBytes === undefined || sizeBytes <= settings.maxArtifactSizeBytes) return;
  throw new AetherError(
    "size_exceeded",
    `The artifact has ${sizeBytes} bytes, and the limit is ${settings.maxArtifactSizeBytes}.`,
    {
      hint: "Leave files out with .aetherignore, or raise AETHER_MAX_ARTIFACT_SIZE_BYTES.",
    },
  );
}

const expiry = ({ now, settings }: Control): Date => new Date(now().getTime() + settings.pendingTtlSecs * 1000);

/** The audit row of an artifact's transition. */
export function recordArtifact(
  tx: Tx,
  actor: Actor,
  artifact: Artifact,
  before: string | null,
  at: Date,
): Promise<void> {
  const { id, appId, status, digest } = artifact;
  return recordTransition(tx, actor, { subject: "artifact", id, appId, before, after: status, at, detail: { digest } });
}
