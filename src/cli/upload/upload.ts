import { AetherError } from "../../lib/errors.ts";
import { isTransient } from "../client.ts";
import { isBusy } from "../retry-after.ts";
import { uploadThroughServer } from "./form-upload.ts";
import { uploadInParts } from "./multipart-upload.ts";
import { askToSend, completionOf, sendAgain, type Uploaded, type UploadOptions } from "./sending.ts";

export interface FallbackOptions extends UploadOptions {
  /** Told when the storage cannot be reached, and the server takes the bytes instead. */
  onFallback: (error: AetherError) => void;
}

/**
 * Stores an artifact in two phases; nothing is sent when the server has these bytes for this app. A storage that this
 * machine cannot reach is passed by, through the server, where the server allows it.
 */
export async function upload(options: FallbackOptions): Promise<Uploaded> {
  const { limits, features } = await options.client.capabilities();
  const mayPassServer = features.includes("direct-upload");
  const patient = mayPassServer ? { ...options, patienceMs: fallbackAfterMs } : options;
  try {
    if (options.artifact.sizeBytes <= limits.multipart_threshold_bytes) return await uploadWhole(patient);
    return await uploadInParts(patient, limits.multipart_part_size_bytes);
  } catch (error) {
    if (!isStorageAway(error, options.client.server)) throw error;
    if (!mayPassServer) throw withoutFallback(error);
    options.onFallback(error);
    const uploaded = await uploadThroughServer(options);
    return { ...uploaded, note: `sent through the server: the storage ${error.details.storage} could not be reached` };
  }
}

/** Where there is another way, the storage is waited for less long. */
const fallbackAfterMs = 5_000;

async function uploadWhole(options: UploadOptions): Promise<Uploaded> {
  const { client, artifact } = options;
  const { sizeBytes } = artifact;
  const sent = await sendAgain(options, async (send, attempt) => {
    // Asked for anew each time: a URL may have expired, or the bytes may have arrived although the answer did not.
    const { method, upload_url: url, headers } = await askToSend(options);
    if (method === "NONE" || url === null) return false;
    return send({ url, headers, from: 0, to: sizeBytes }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof AetherError && error.code === "conflict") return attempt > 1; // they are there
        throw error;
      },
    );
  });
  await client.complete(completionOf(options));
  return sent ? { uploadedBytes: sizeBytes, reusedBytes: 0 } : { uploadedBytes: 0, reusedBytes: sizeBytes };
}

/** Whether it is the storage, at another place than the server, that does not take bytes from this machine. */
function isStorageAway(error: unknown, server: string): error is AetherError {
  if (!(error instanceof AetherError) || !isTransient(error) || isBusy(error)) return false;
  const { storage } = error.details;
  return typeof storage === "string" && storage !== new URL(server).host;
}

function withoutFallback(error: AetherError): AetherError {
  return new AetherError(error.code, error.message, {
    cause: error.cause,
    hint:
      "Check that this machine reaches the storage. Whoever runs the server can name another address for it " +
      "(AETHER_S3_PUBLIC_BASE_URL), or let artifacts pass through the server (AETHER_DIRECT_UPLOAD=1).",
    details: error.details,
  });
}
