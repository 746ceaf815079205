import { and, eq } from "drizzle-orm";
import { parseAppName } from "../core/app-name.ts";
import type { Digest } from "../core/digest.ts";
import { apps, artifacts } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import type { SignedRequest } from "../storage/storage.ts";
import type { Actor, Control } from "./control.ts";
import { reserveArtifact, type UploadRequest } from "./reservation.ts";

export type Artifact = typeof artifacts.$inferSelect;

/** A signed PUT for bytes that are not stored yet; `signed` is undefined when they are. Asking again is harmless. */
export async function presignUpload(
  control: Control,
  request: UploadRequest,
  actor: Actor,
): Promise<{ artifact: Artifact; signed: SignedRequest | undefined }> {
  const { metrics } = control;
  metrics.presignRequests.inc();
  try {
    await control.storage.checkSettings();
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
