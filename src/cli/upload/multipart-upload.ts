import type { PartReceipt } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";
import { retry } from "../../lib/retry.ts";
import { heldBytes, type PlannedPart, planParts } from "./part-plan.ts";
import {
  askToSend,
  completionOf,
  requestOf,
  sameApp,
  sendAgain,
  type Uploaded,
  type UploadOptions,
} from "./sending.ts";

/** Sends an artifact in parts, or what an upload under way lacks of it. */
export function uploadInParts(options: UploadOptions, partSizeBytes: number): Promise<Uploaded> {
  // Another command line may complete or abandon the same upload meanwhile: then the server is asked what is left to do.
  return retry(() => uploadOnce(options, partSizeBytes), {
    attempts: 3,
    signal: options.signal,
    shouldRetry: isGone,
    onRetry: options.onRetry,
  });
}

const isGone = (error: unknown): boolean =>
  error instanceof AetherError && (error.code === "not_found" || error.code === "conflict");

async function uploadOnce(options: UploadOptions, partSizeBytes: number): Promise<Uploaded> {
  const { client, artifact } = options;
  const request = completionOf(options);
  const upload = await startOrResume(options);
  if (upload === undefined) {
    await client.complete(request);
    return { uploadedBytes: 0, reusedBytes: artifact.sizeBytes };
  }
  const { missing, held } = planParts(artifact.sizeBytes, partSizeBytes, upload.parts);
  const reusedBytes = heldBytes(held);
  options.onProgress(reusedBytes);
  const sent = await sendParts(options, { uploadId: upload.upload_id, missing, reusedBytes });
  const parts = [...held.map(toReceipt), ...sent].sort((a, b) => a.part_number - b.part_number);
  await client.completeMultipart({ ...request, upload_id: upload.upload_id, parts });
  return { uploadedBytes: artifact.sizeBytes - reusedBytes, reusedBytes };
}

const toReceipt = ({ part_number, etag }: PartReceipt): PartReceipt => ({ part_number, etag });

/** The upload to send parts to; undefined when there is nothing to send, and only completing is left. */
async function startOrResume(options: UploadOptions) {
  const { client, met } = options;
  if ((await askToSend(options)).method === "NONE") return undefined;
  return client.startMultipart({ ...requestOf(options), ...sameApp(met) }).catch((error: unknown) => {
    if (error instanceof AetherError && error.code === "conflict") return undefined;
    throw error;
  });
}

interface Sending {
  uploadId: string;
  missing: PlannedPart[];
  reusedBytes: number;
}

/** Four at a time; a part that failed is sent again, finished ones are not. When one cannot be sent, the others stop. */
async function sendParts(options: UploadOptions, { uploadId, missing, reusedBytes }: Sending): Promise<PartReceipt[]> {
  const sent = new Map<number, number>();
  const receipts: PartReceipt[] = [];
  const queue = [...missing];
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  async function worker(): Promise<void> {
    for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
      const { number } = part;
      const onProgress = (bytes: number) => {
        sent.set(number, bytes);
        options.onProgress(reusedBytes + [...sent.values()].reduce((sum, size) => sum + size, 0));
      };
      receipts.push({ part_number: number, etag: await sendPart({ ...options, signal, onProgress }, uploadId, part) });
    }
  }
  const working = [worker(), worker(), worker(), worker()];
  try {
    await Promise.all(working);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(working);
    throw error;
  }
  return receipts;
}

async function sendPart(options: UploadOptions, uploadId: string, { number, from, to }: PlannedPart): Promise<string> {
  const { client, app, artifact } = options;
  const place = { app_name: app, digest: artifact.digest, upload_id: uploadId, part_number: number };
  const etag = await sendAgain(options, async (send) => {
    const { url, headers } = await client.presignPart({ ...place, size_bytes: to - from });
    return send({ url, headers, from, to });
  });
  if (etag !== undefined) return etag;
  throw new AetherError("service_unavailable", "The storage did not name the part it stored (no ETag).");
}
