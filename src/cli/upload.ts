import type { CompleteView, PartReceipt } from "../core/wire.ts";
import { AetherError } from "../lib/errors.ts";
import { retry } from "../lib/retry.ts";
import { type Client, isTransient } from "./client.ts";
import { type PutOptions, putBytes } from "./put-bytes.ts";

export interface UploadOptions {
  client: Client;
  app: string;
  artifact: { path: string; digest: string; sizeBytes: number };
  signal: AbortSignal;
  onProgress: (sentBytes: number) => void;
  /** Told when the network failed and the upload is tried again. */
  onRetry: (error: unknown) => void;
}

export interface Uploaded {
  uploadedBytes: number;
  reusedBytes: number;
}

/** Stores an artifact in two phases; nothing is sent when the server has these bytes for this app. */
export async function upload(options: UploadOptions): Promise<Uploaded> {
  const { client, app, artifact } = options;
  const { limits } = await client.capabilities();
  if (artifact.sizeBytes > limits.multipart_threshold_bytes)
    return uploadInParts(options, limits.multipart_part_size_bytes);
  const request = { app_name: app, digest: artifact.digest, size_bytes: artifact.sizeBytes };
  const sent = await sendAgain(options, async (send) => {
    // Asked for anew each time: a URL may have expired, or the bytes may have arrived although the answer did not.
    const presigned = await client.presign(request);
    if (presigned.method === "NONE" || presigned.upload_url === null) return false;
    await send({ url: presigned.upload_url, headers: presigned.headers, from: 0, to: artifact.sizeBytes });
    return true;
  });
  await client.complete(request);
  return sent
    ? { uploadedBytes: artifact.sizeBytes, reusedBytes: 0 }
    : { uploadedBytes: 0, reusedBytes: artifact.sizeBytes };
}

/** An upload goes on when the storage was away for less than this. */
const storagePatienceMs = 30_000;

type Send = (piece: Pick<PutOptions, "url" | "headers" | "from" | "to">) => Promise<string | undefined>;

/** Repeats `work` while it is `send` that fails; the client has repeated its own calls already. */
function sendAgain<T>(options: UploadOptions, work: (send: Send) => Promise<T>): Promise<T> {
  let isSending = false;
  return retry(
    () => {
      isSending = false;
      return work((piece) => {
        isSending = true;
        return putBytes({ ...options, ...piece });
      });
    },
    {
      attempts: 5,
      patienceMs: storagePatienceMs,
      signal: options.signal,
      shouldRetry: (error) => isSending && isTransient(error),
      onRetry: options.onRetry,
    },
  );
}

/** The deprecated way: one form, through the server. */
export async function uploadThroughServer({ client, app, artifact, signal }: UploadOptions): Promise<Uploaded> {
  const form = new FormData();
  form.set("app_name", app);
  form.set("artifact", Bun.file(artifact.path), "app.tar.gz");
  const headers = { "x-aether-artifact-digest": artifact.digest };
  const response = await client.open("/artifacts", { method: "POST", body: form, headers, signal });
  const { duplicate } = (await response.json()) as { duplicate: boolean };
  return { uploadedBytes: artifact.sizeBytes, reusedBytes: duplicate ? artifact.sizeBytes : 0 };
}

async function uploadInParts(options: UploadOptions, partSize: number): Promise<Uploaded> {
  const { client, app, artifact } = options;
  const request = { app_name: app, digest: artifact.digest, size_bytes: artifact.sizeBytes };
  if ((await client.presign(request)).method === "NONE") return { uploadedBytes: 0, reusedBytes: artifact.sizeBytes };
  const started = await client.startMultipart(request).catch((error) => {
    // As 412 to a PUT: an earlier attempt has sent everything, and only its completion is missing.
    if (error instanceof AetherError && error.code === "conflict") return undefined;
    throw error;
  });
  if (started === undefined) {
    await client.complete(request);
    return { uploadedBytes: 0, reusedBytes: artifact.sizeBytes };
  }
  const { upload_id } = started;
  const parts = await sendParts(options, upload_id, partSize);
  const joined: CompleteView = await client.completeMultipart({ ...request, upload_id, parts });
  return { uploadedBytes: joined.duplicate ? 0 : artifact.sizeBytes, reusedBytes: 0 };
}

/** Four at a time; a part that failed is sent again, finished ones are not. */
async function sendParts(options: UploadOptions, uploadId: string, partSize: number): Promise<PartReceipt[]> {
  const { artifact } = options;
  const count = Math.ceil(artifact.sizeBytes / partSize);
  const sent = new Array<number>(count).fill(0);
  const receipts: PartReceipt[] = [];
  let next = 1;
  async function worker(): Promise<void> {
    for (let part = next++; part <= count; part = next++) {
      const onProgress = (bytes: number) => {
        sent[part - 1] = bytes;
        options.onProgress(sent.reduce((sum, size) => sum + size, 0));
      };
      const etag = await sendPart({ ...options, onProgress }, { uploadId, part, partSize });
      receipts.push({ part_number: part, etag });
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()]);
  return receipts.sort((a, b) => a.part_number - b.part_number);
}

async function sendPart(
  options: UploadOptions,
  { uploadId, part, partSize }: { uploadId: string; part: number; partSize: number },
): Promise<string> {
  const { client, app, artifact } = options;
  const from = (part - 1) * partSize;
  const to = Math.min(part * partSize, artifact.sizeBytes);
  const place = { app_name: app, digest: artifact.digest, upload_id: uploadId, part_number: part };
  const wanted = { ...place, size_bytes: to - from };
  const etag = await sendAgain(options, async (send) => {
    const { url, headers } = await client.presignPart(wanted);
    return send({ url, headers, from, to });
  });
  if (etag !== undefined) return etag;
  throw new AetherError("service_unavailable", "The storage did not name the part it stored (no ETag).");
}
