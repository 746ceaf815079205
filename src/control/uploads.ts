import { randomUUID } from "node:crypto";
import { and, eq } from "drizzle-orm";
import { parseAppName } from "../core/app-name.ts";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { apps, artifacts } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { type Audience, artifactKey, type SignedRequest } from "../storage/storage.ts";
import { type App, ensureApp } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { lockLiveApp } from "./live-app.ts";
import { quotaProblem } from "./quotas.ts";
import { transact } from "./transactions.ts";

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
  const { metrics } = control;
  metrics.presignRequests.inc();
  try {
    const artifact = await reserveArtifact(control, request, actor);
    crashPoint("artifact-reserved");
    if (artifact.status === "stored") return { artifact, signed: undefined };
    const signed = await control.storage.presignPut({
      key: artifact.storageKey,
      digest: request.digest,
      ...(request.sizeBytes === undefined ? {} : { sizeBytes: request.sizeBytes }),
      expiresSeconds: control.settings.presignExpireSeconds,
      ...(request.audience === undefined ? {} : { audience: request.audience }),
    });
    return { artifact, signed };
  } catch (error) {
    metrics.presignFailures.inc();
    throw error;
  }
}

/** The artifact row of an app and a digest, in whatever state. */
export async function findArtifact({ db }: Control, app: string, digest: Digest): Promise<Artifact | undefined> {
  const [found] = await db
    .select({ artifact: artifacts })
    .from(artifacts)
    .innerJoin(apps, eq(apps.id, artifacts.appId))
    .where(and(eq(apps.name, parseAppName(app)), eq(artifacts.digest, digest)));
  return found?.artifact;
}

/** The row of an upload: made, renewed, or the one that is stored already. Over quota, there is none. */
export function reserveArtifact(control: Control, request: UploadRequest, actor: Actor): Promise<Artifact> {
  return upsertArtifact(control, { request, actor, presignedAt: control.now() });
}

/** The row for bytes that lie in storage and were never asked for: their completion decides about the quota. */
export function adoptArtifact(control: Control, request: UploadRequest, actor: Actor): Promise<Artifact> {
  return upsertArtifact(control, { request, actor, presignedAt: null });
}

type Wanted = { request: UploadRequest; actor: Actor; presignedAt: Date | null };
type Reservation = Wanted & { app: App };

async function upsertArtifact(control: Control, wanted: Wanted): Promise<Artifact> {
  assertSize(control, wanted.request.sizeBytes);
  const { id } = await ensureApp(control, wanted.request.app, wanted.actor);
  const upsert = async (tx: Tx) => {
    const reservation = { ...wanted, app: await lockLiveApp(tx, id) };
    return (await insertPending(control, tx, reservation)) ?? renewPending(control, tx, reservation);
  };
  return transact(control, upsert, { repeatable: true });
}

async function insertPending(control: Control, tx: Tx, reservation: Reservation): Promise<Artifact | undefined> {
  const { app, request, actor, presignedAt } = reservation;
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
      presignedAt,
      createdAt: at,
      expiresAt: expiry(control),
    })
    .onConflictDoNothing()
    .returning();
  if (!artifact) return undefined;
  await assertRoom(control, tx, reservation);
  await recordArtifact(control, tx, { actor, artifact, before: null, at });
  return artifact;
}

async function renewPending(control: Control, tx: Tx, reservation: Reservation): Promise<Artifact> {
  const { app, request, actor, presignedAt } = reservation;
  const [artifact] = await tx
    .select()
    .from(artifacts)
    .where(and(eq(artifacts.appId, app.id), eq(artifacts.digest, request.digest)))
    .for("update");
  if (!artifact)
    throw new AetherError("conflict", "The artifact was removed while it was asked for.", { hint: "Try again." });
  if (artifact.status === "stored" || artifact.status === "verifying") return artifact;
  await assertRoom(control, tx, reservation);
  // What is left under the key of an upload that was given up keeps it from being written again.
  const isGivenUp = artifact.status === "expired" && presignedAt !== null;
  if (isGivenUp) await control.storage.remove(artifact.storageKey);
  const at = control.now();
  const [renewed = artifact] = await tx
    .update(artifacts)
    .set({ status: "pending", presignedAt, expiresAt: expiry(control), sizeBytes: request.sizeBytes ?? null })
    .where(eq(artifacts.id, artifact.id))
    .returning();
  if (artifact.status !== "pending")
    await recordArtifact(control, tx, { actor, artifact: renewed, before: artifact.status, at });
  return renewed;
}

async function assertRoom(control: Control, tx: Tx, { app, request, presignedAt }: Reservation): Promise<void> {
  if (presignedAt === null) return;
  const { digest, sizeBytes } = request;
  const problem = await quotaProblem(control, tx, { app, digest, sizeBytes, reserving: true });
  if (problem) throw problem;
}

/** Refuses sizes that can never be stored. */
export function assertSize({ settings, metrics }: Control, sizeBytes: number | undefined): void {
  if (sizeBytes === undefined || sizeBytes <= settings.maxArtifactSizeBytes) return;
  metrics.sizeExceeded.inc();
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
export async function recordArtifact(
  { metrics }: Control,
  tx: Tx,
  { actor, artifact, before, at }: { actor: Actor; artifact: Artifact; before: string | null; at: Date },
): Promise<void> {
  const { id, appId, status, digest } = artifact;
  await recordTransition(tx, actor, { subject: "artifact", id, appId, before, after: status, at, detail: { digest } });
  metrics.artifactEvents.inc();
}
