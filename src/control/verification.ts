import { createHash } from "node:crypto";
import type { Digest } from "../core/digest.ts";
import { breathing } from "../lib/breathing.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError, systemCode } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { hashOutcomes } from "../telemetry/metrics.ts";
import type { Control } from "./control.ts";
import type { Artifact } from "./uploads.ts";

/** What storage holds: `verified` when its bytes were hashed. Bad bytes are `refused`, and must go. */
export type Verdict = { sizeBytes: number; verified: boolean } | { refused: AetherError };

export interface Announced {
  app: string;
  sizeBytes: number;
}

/** Compares the stored object with what was announced; throws when it is missing, or storage cannot be read. */
export async function verifyObject(control: Control, artifact: Artifact, announced: Announced): Promise<Verdict> {
  const { storage, settings, metrics } = control;
  const refuse = (code: "size_mismatch" | "digest_mismatch", message: string): Verdict => {
    metrics.verifyFailures.inc({ app: announced.app, reason: code });
    const hint = "The object was removed; upload the artifact again.";
    return { refused: new AetherError(code, message, { hint }) };
  };
  const otherBytes = (found: Digest): Verdict => {
    metrics.digestMismatch.inc();
    return refuse("digest_mismatch", `The stored bytes hash to ${found}, not to ${artifact.digest}.`);
  };

  const object = await storage.head(artifact.storageKey);
  if (object === undefined) throw noBytes();
  if (settings.verifyRemoteSize && object.sizeBytes !== announced.sizeBytes) {
    const message = `The stored object has ${object.sizeBytes} bytes, and ${announced.sizeBytes} were announced.`;
    return refuse("size_mismatch", message);
  }
  const { sizeBytes } = object;
  if (settings.verifyRemoteDigest && object.checksum !== undefined && object.checksum !== artifact.digest) {
    return otherBytes(object.checksum);
  }
  const isSmallEnough = settings.verifyRemoteHash && sizeBytes <= settings.remoteHashMaxBytes;
  if (!isSmallEnough && isKnownWhole(control, artifact, object)) return { sizeBytes, verified: false };
  const found = await hashObject(control, artifact.storageKey, sizeBytes);
  countHash(control, found === artifact.digest ? "match" : "mismatch");
  return found === artifact.digest ? { sizeBytes, verified: true } : otherBytes(found);
}

/** Whether the store has hashed the whole: it refuses a PUT of other bytes, but of parts it knows each by itself. */
function isKnownWhole({ storage }: Control, { digest, uploadId }: Artifact, { checksum }: StoredObject): boolean {
  return storage.refusesOtherBytes() && (uploadId === null || checksum === digest);
}

/** Nobody has sent the bytes that are to be completed. */
export const noBytes = (): AetherError =>
  new AetherError("not_found", "No bytes have been stored for this digest yet.", {
    hint: "Ask for a presigned URL with POST /artifacts/presign and send them there first, then complete.",
  });

async function hashObject(control: Control, key: string, sizeBytes: number): Promise<Digest> {
  const { storage, log, metrics } = control;
  const stopTimer = metrics.remoteHashDuration.startTimer();
  const hashing = retry(
    async () => {
      const hash = createHash("sha256");
      let read = 0;
      for await (const chunk of breathing(await storage.read(key))) {
        read += chunk.byteLength;
        hash.update(chunk);
        crashPoint("during-rehash");
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
