import { createHash } from "node:crypto";
import { and, eq, inArray } from "drizzle-orm";
import type { Digest } from "../core/digest.ts";
import { artifacts } from "../db/schema.ts";
import { AetherError, systemCode } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import type { hashOutcomes } from "../telemetry/metrics.ts";
import type { Actor, Control } from "./control.ts";
import { type Artifact, assertSize, findArtifact, recordArtifact } from "./uploads.ts";

export interface Completion {
  app: string;
  digest: Digest;
  sizeBytes: number;
}

/**
 * Makes uploaded bytes an artifact: `pending → verifying → stored`. Size and hash are those of the stored object, not of
 * what the client says. Completing a stored artifact again is a success that changes nothing.
 */
export async function completeUpload(
  control: Control,
  completion: Completion,
  actor: Actor,
): Promise<{ artifact: Artifact; duplicate: boolean }> {
  assertSize(control, completion.sizeBytes);
  const artifact = await findArtifact(control, completion.app, completion.digest);
  if (artifact?.status === "stored") return { artifact: assertSameSize(artifact, completion), duplicate: true };
  if (artifact === undefined || artifact.status === "expired") throw notPresigned(completion);
  const claimed = await transition(control, artifact, { to: "verifying", actor });
  const verified = await verify(control, claimed, completion).catch(async (error: unknown) => {
    await transition(control, claimed, { to: "pending", actor });
    throw error;
  });
  const stored = await transition(control, claimed, { to: "stored", actor, sizeBytes: completion.sizeBytes, verified });
  return { artifact: stored, duplicate: false };
}

type Move =
  | { to: "verifying" | "pending"; actor: Actor }
  | { to: "stored"; actor: Actor; sizeBytes: number; verified: boolean };

async function transition({ db, now }: Control, { id }: Artifact, move: Move): Promise<Artifact> {
  return db.transaction(async (tx) => {
    const at = now();
    const [before] = await tx.select().from(artifacts).where(eq(artifacts.id, id)).for("update");
    const change =
      move.to === "stored"
        ? { sizeBytes: move.sizeBytes, verified: move.verified, completedAt: at, expiresAt: null, uploadId: null }
        : {};
    const [after] = await tx
      .update(artifacts)
      .set({ status: move.to, ...change })
      .where(and(eq(artifacts.id, id), inArray(artifacts.status, ["pending", "verifying"])))
      .returning();
    if (before && after) {
      if (before.status !== after.status) await recordArtifact(tx, move.actor, after, before.status, at);
      return after;
    }
    // Another request of the same upload was faster: its outcome is this one's as well.
    if (before?.status === "stored") return before;
    throw new AetherError("conflict", "The upload was abandoned while it was being completed.", {
      hint: "Upload it again.",
    });
  });
}

/** Whether the bytes were hashed; throws when they are missing or are not what was announced. */
async function verify(control: Control, artifact: Artifact, completion: Completion): Promise<boolean> {
  const { storage, settings } = control;
  const object = await storage.head(artifact.storageKey);
  if (object === undefined) {
    throw new AetherError("not_found", "No bytes have been stored for this digest yet.", {
      hint: "Send them to the presigned URL first, then complete.",
    });
  }
  if (settings.verifyRemoteSize && object.sizeBytes !== completion.sizeBytes) {
    await storage.remove(artifact.storageKey);
    throw new AetherError(
      "size_mismatch",
      `The stored object has ${object.sizeBytes} bytes, and ${completion.sizeBytes} were announced.`,
      { hint: "The object was removed; upload the artifact again." },
    );
  }
  if (settings.verifyRemoteDigest && object.checksum !== undefined && object.checksum !== artifact.digest) {
    throw await otherBytes(control, artifact, object.checksum);
  }
  const isSmallEnough = settings.verifyRemoteHash && object.sizeBytes <= settings.remoteHashMaxBytes;
  if (!isSmallEnough && storage.refusesOtherBytes()) return false;
  const found = await hashObject(control, artifact.storageKey, object.sizeBytes);
  countHash(control, found === artifact.digest ? "match" : "mismatch");
  if (found === artifact.digest) return true;
  throw await otherBytes(control, artifact, found);
}

async function otherBytes({ storage, metrics }: Control, artifact: Artifact, found: Digest): Promise<AetherError> {
  metrics.digestMismatch.inc();
  await storage.remove(artifact.storageKey);
  return new AetherError("digest_mismatch", `The stored bytes hash to ${found}, not to ${artifact.digest}.`, {
    hint: "The object was removed; upload the artifact again.",
  });
}

async function hashObject(control: Control, key: string, sizeBytes: number): Promise<Digest> {
  const { storage, log, metrics } = control;
  const stopTimer = metrics.remoteHashDuration.startTimer();
  const hashing = retry(
    async () => {
      const hash = createHash("sha256");
      let read = 0;
      for await (const chunk of await storage.read(key)) {
        read += chunk.byteLength;
        hash.update(chunk);
      }
      if (read === sizeBytes) return hash.digest("hex");
      // Not a mismatch, for which the object would be deleted: what came was cut, or the object is another one by now.
      throw new AetherError("conflict", `The storage gave ${read} of the ${sizeBytes} bytes that the object has.`);
    },
    {
      attempts: 3,
      shouldRetry: (error) =>
        systemCode(error) !== undefined || (error instanceof AetherError && error.code === "conflict"),
      onRetry: (error) => log.warn("hashing a stored object failed, trying again", { key, error }),
    },
  );
  try {
    return await hashing;
  } catch (error) {
    countHash(control, "error");
    throw error;
  } finally {
    stopTimer();
    metrics.remoteHashBytes.inc(sizeBytes);
  }
}

function countHash({ metrics }: Control, outcome: (typeof hashOutcomes)[number]): void {
  metrics.remoteHash.inc({ outcome });
}

function assertSameSize(artifact: Artifact, { sizeBytes }: Completion): Artifact {
  if (artifact.sizeBytes === sizeBytes) return artifact;
  throw new AetherError(
    "size_mismatch",
    `This artifact has ${artifact.sizeBytes} bytes, and ${sizeBytes} were announced.`,
  );
}

function notPresigned({ digest }: Completion): AetherError {
  return new AetherError("not_found", `No upload of ${digest} was started for this app.`, {
    hint: "Ask for a presigned URL first: POST /artifacts/presign.",
  });
}
