import { randomUUID } from "node:crypto";
import { and, eq } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { type Audience, artifactKey } from "../storage/storage.ts";
import { type App, ensureApp, getSameApp } from "./apps.ts";
import { endLease, lockHeld } from "./artifact-lease.ts";
import { recordArtifact } from "./artifact-record.ts";
import { claimExpired, clearPlace, untilFree } from "./byte-removal.ts";
import type { Actor, Control } from "./control.ts";
import { lockLiveApp } from "./live-app.ts";
import { quotaProblem } from "./quotas.ts";
import { transact } from "./transactions.ts";
import { assertSize } from "./upload-size.ts";
import type { Artifact } from "./uploads.ts";

export interface UploadRequest {
  app: string;
  /** It must be this app, which was there before, and is not created again. */
  appId?: string | undefined;
  digest: Digest;
  sizeBytes?: number | undefined;
  /** Who will send the bytes; laptops unless said otherwise. */
  audience?: Audience;
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
  const { app: name, appId } = wanted.request;
  const { id } = await (appId === undefined
    ? ensureApp(control, name, wanted.actor)
    : getSameApp(control.db, { name, id: appId }));
  return untilFree(control, () => upsertOnce(control, wanted, id));
}

/** Undefined while another server takes away what an earlier upload of the same digest has left. */
async function upsertOnce(control: Control, wanted: Wanted, appId: string): Promise<Artifact | undefined> {
  const upsert = async (tx: Tx) => {
    const reservation = { ...wanted, app: await lockLiveApp(tx, appId) };
    return (await insertPending(control, tx, reservation)) ?? findPending(control, tx, reservation);
  };
  const found = await transact(control, upsert, { repeatable: true });
  if (found?.status !== "expired") return found;
  // What is left under the key of an upload that was given up keeps it from being written again.
  const cleared = await clearPlace(control, found, "remove");
  if (cleared === undefined) return undefined;
  const renew = async (tx: Tx) => {
    const reservation = { ...wanted, app: await lockLiveApp(tx, appId) };
    if (!(await lockHeld(tx, cleared))) return undefined;
    await assertRoom(control, tx, reservation); // others may have asked for it meanwhile
    return renewPending(control, tx, { artifact: cleared, reservation });
  };
  try {
    return await transact(control, renew);
  } catch (error) {
    await endLease(control, cleared);
    throw error;
  }
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

/** The row that is there: stored, verifying, pending anew, or still expired and claimed, for its place must be emptied. */
async function findPending(control: Control, tx: Tx, reservation: Reservation): Promise<Artifact | undefined> {
  const { app, request, presignedAt } = reservation;
  const [artifact] = await tx
    .select()
    .from(artifacts)
    .where(and(eq(artifacts.appId, app.id), eq(artifacts.digest, request.digest)))
    .for("update");
  if (!artifact)
    throw new AetherError("conflict", "The artifact was removed while it was asked for.", { hint: "Try again." });
  if (artifact.status === "stored" || artifact.status === "verifying") return artifact;
  await assertRoom(control, tx, reservation);
  const isToBeCleared = artifact.status === "expired" && (presignedAt !== null || artifact.expiresAt !== null);
  if (isToBeCleared) return claimExpired(control, tx, eq(artifacts.id, artifact.id));
  return renewPending(control, tx, { artifact, reservation });
}

async function renewPending(
  control: Control,
  tx: Tx,
  { artifact, reservation }: { artifact: Artifact; reservation: Reservation },
): Promise<Artifact> {
  const { request, actor, presignedAt } = reservation;
  const isExpired = artifact.status === "expired";
  const at = control.now();
  const [renewed = artifact] = await tx
    .update(artifacts)
    .set({
      status: "pending",
      presignedAt: presignedAt && at,
      expiresAt: expiry(control),
      sizeBytes: request.sizeBytes ?? null,
      ...(isExpired ? { uploadId: null, claimedUntil: null } : {}),
    })
    .where(eq(artifacts.id, artifact.id))
    .returning();
  if (isExpired) await recordArtifact(control, tx, { actor, artifact: renewed, before: artifact.status, at });
  return renewed;
}

async function assertRoom(control: Control, tx: Tx, { app, request, presignedAt }: Reservation): Promise<void> {
  if (presignedAt === null) return;
  const { digest, sizeBytes } = request;
  const problem = await quotaProblem(control, tx, { app, digest, sizeBytes, reserving: true });
  if (problem) throw problem;
}

const expiry = ({ now, settings }: Control): Date => new Date(now().getTime() + settings.pendingTtlSecs * 1000);
