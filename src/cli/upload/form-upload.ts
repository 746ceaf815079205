import { randomUUID } from "node:crypto";
import { formatBytes } from "../../lib/bytes.ts";
import { AetherError } from "../../lib/errors.ts";
import { retry } from "../../lib/retry.ts";
import { isTransient } from "../client.ts";
import { fileBody } from "./file-body.ts";
import { inTurn, type Uploaded, type UploadOptions } from "./sending.ts";

/** How long the server may take to store and hash what it received: so many bytes in a millisecond, and a minute. */
const storedBytesPerMs = 10_000;

/** One form, through the server: the deprecated way, and the fallback. Repeated as a whole when the network fails. */
export async function uploadThroughServer(options: UploadOptions): Promise<Uploaded> {
  const { client, artifact } = options;
  const { limits } = await client.capabilities();
  if (artifact.sizeBytes > limits.max_artifact_size_bytes) throw tooLarge(artifact, limits.max_artifact_size_bytes);
  await retry(() => inTurn(options, () => sendForm(options)), {
    attempts: 3,
    signal: options.signal,
    shouldRetry: isTransient,
    onRetry: options.onRetry,
  });
  return { uploadedBytes: artifact.sizeBytes, reusedBytes: 0 };
}

// Written by hand: Bun's FormData would hold the whole file in memory.
async function sendForm(options: UploadOptions): Promise<void> {
  const { client, app, artifact, signal, onProgress } = options;
  const boundary = `aether-${randomUUID()}`;
  const { head, tail } = formAround(boundary, app);
  const { path, sizeBytes } = artifact;
  const answerMs = 60_000 + sizeBytes / storedBytesPerMs;
  using body = fileBody({ path, from: 0, to: sizeBytes, signal, onProgress, answerMs });
  const response = await client.open("/artifacts", {
    method: "POST",
    headers: {
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(head.length + sizeBytes + tail.length),
      "x-aether-artifact-digest": artifact.digest,
      ...(artifact.signature === undefined ? {} : { "x-aether-signature": artifact.signature }),
    },
    body: between(head, body.stream, tail),
    signal: body.signal,
    timeout: false,
  });
  await response.arrayBuffer();
}

function formAround(boundary: string, app: string) {
  const part = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const file = `${part('name="artifact"; filename="app.tar.gz"')}Content-Type: application/gzip\r\n\r\n`;
  const head = `${part('name="app_name"')}\r\n${app}\r\n${file}`;
  return { head: Buffer.from(head), tail: Buffer.from(`\r\n--${boundary}--\r\n`) };
}

function between(head: Uint8Array, content: ReadableStream<Uint8Array>, tail: Uint8Array): ReadableStream<Uint8Array> {
  return content.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start: (controller) => controller.enqueue(head),
      flush: (controller) => controller.enqueue(tail),
    }),
  );
}

function tooLarge({ sizeBytes }: { sizeBytes: number }, limit: number): AetherError {
  return new AetherError(
    "size_exceeded",
    `The artifact has ${formatBytes(sizeBytes)}, and the server takes ${formatBytes(limit)} at most.`,
    { hint: "Leave files out with .aetherignore, or raise AETHER_MAX_ARTIFACT_SIZE_BYTES on the server." },
  );
}
