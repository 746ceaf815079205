import { randomUUID } from "node:crypto";
import { and, eq, inArray, sql } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { type Audience, artifactKey, type SignedRequest } from "../storage/storage.ts";
import { type App, ensureApp, getApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";

export type Artifact = typeof artifacts.$inferSelect;

export interface UploadRequest {
  app: string;
  digest: Digest;
  sizeBytes?: number | undefined;
  /** Who will send the bytes; laptops unless said otherwise. */
  audience?: Audience;
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
    ...(request.audience === undefined ? {} : { audience: request.audience }),
  });
  return { artifact, signed };
}

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

/** The row of an upload: made, renewed, or the one that is stored already. */
export async function reserveArtifact(control: Control, request: UploadRequest, actor: Actor): Promise<Artifact> {
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
  if (artifact.status === "expired") await control.storage.remove(artifact.storageKey); // lets its key be written again
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
async function expireUpload(control: Control, tx: Tx, artifact: Artifact, actor: Actor): Promise<void> {
  await endStoredUpload(control, artifact);
  await tx
    .update(artifacts)
    .set({ status: "expired", uploadId: null, expiresAt: null })
    .where(eq(artifacts.id, artifact.id));
  await recordArtifact(tx, actor, { ...artifact, status: "expired" }, artifact.status, control.now());
}

async function endStoredUpload({ storage, settings, now }: Control, artifact: Artifact): Promise<void> {
  const { storageKey: key, uploadId, presignedAt } = artifact;
  if (uploadId !== null) await storage.abortMultipart(key, uploadId);
  // One whose id was never written down: the server was killed in between.
  const orphans = await Array.fromAsync(storage.listMultiparts(key));
  for (const orphan of orphans) await storage.abortMultipart(key, orphan.uploadId);
  const urlsEnd = (presignedAt?.getTime() ?? 0) + settings.presignExpireSeconds * 1000;
  await (urlsEnd > now().getTime() ? storage.abandon(key) : storage.remove(key));
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
