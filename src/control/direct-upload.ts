import { AetherError } from "../lib/errors.ts";
import { storeFile } from "../storage/store-file.ts";
import type { Actor, Control } from "./control.ts";
import type { UploadRequest } from "./reservation.ts";
import { completeSigned } from "./signatures.ts";
import { type Artifact, presignUpload } from "./uploads.ts";

/** Makes a file that came through this server an artifact; an upload in parts of the same bytes ends with it. */
export async function storeDirectly(
  control: Control,
  { path, signature, ...request }: UploadRequest & { path: string; sizeBytes: number; signature?: string | undefined },
  actor: Actor,
): Promise<{ artifact: Artifact; duplicate: boolean; verified: boolean }> {
  const { artifact, signed } = await presignUpload(control, { ...request, audience: "runtime" }, actor);
  // In files, the request measures itself.
  const measured = control.storage.kind === "filesystem" ? () => {} : control.metrics.putDuration.startTimer();
  if (signed) await storeFile(control.storage, signed, path).finally(measured);
  const completed = await completeSigned(control, { ...request, signature }, actor);
  if (artifact.uploadId !== null) await control.storage.abortMultipart(artifact.storageKey, artifact.uploadId);
  return completed;
}

/** Refuses what does not hash to the announced digest, before the storage sees it. */
export function assertDigest({ metrics }: Control, found: string, announced: string): void {
  if (found === announced) return;
  metrics.digestMismatch.inc();
  throw new AetherError("digest_mismatch", `The artifact hashes to ${found}, not to ${announced}.`, {
    hint: "It changed on its way: pack and upload it again.",
  });
}
