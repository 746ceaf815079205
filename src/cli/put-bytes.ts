import { AetherError, isFailureCode } from "../lib/errors.ts";
import { networkReason } from "../lib/network-reason.ts";

export interface PutOptions {
  url: string;
  headers: Record<string, string>;
  artifact: { path: string };
  from: number;
  to: number;
  signal: AbortSignal;
  onProgress: (sentBytes: number) => void;
}

/** How long a PUT may make no progress before it is broken off. */
const stallMs = 30_000;

/** Sends a range of a file to a signed URL, every header verbatim; returns the ETag. A 412 means the bytes are there. */
export async function putBytes({
  url,
  headers,
  artifact,
  from,
  to,
  signal,
  onProgress,
}: PutOptions): Promise<string | undefined> {
  const stall = new AbortController();
  let timer = setTimeout(() => stall.abort(), stallMs);
  let sent = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      clearTimeout(timer);
      timer = setTimeout(() => stall.abort(), stallMs);
      sent += chunk.byteLength;
      onProgress(sent);
      controller.enqueue(chunk);
    },
  });
  try {
    const response = await fetch(url, {
      method: "PUT",
      // The length makes Bun send the stream as one sized body: stores refuse chunked ones.
      headers: { ...headers, "content-length": String(to - from) },
      body: Bun.file(artifact.path).slice(from, to).stream().pipeThrough(counted),
      redirect: "manual",
      signal: AbortSignal.any([signal, stall.signal]),
    });
    if (response.ok || response.status === 412) return response.headers.get("etag") ?? undefined;
    throw await refused(response);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof AetherError) throw error;
    const why = stall.signal.aborted ? "it stalled" : networkReason(error);
    throw new AetherError("unreachable", `The upload to ${new URL(url).host} broke after ${sent} bytes: ${why}.`, {
      cause: error,
      hint: "Check the network; the upload can be repeated at any time.",
    });
  } finally {
    clearTimeout(timer);
  }
}

async function refused(response: Response): Promise<AetherError> {
  const text = await response.text().catch(() => "");
  const answer = parseAnswer(text);
  const host = new URL(response.url).host;
  if (answer !== undefined) return new AetherError(answer.code, `${host} refused the upload: ${answer.message}`);
  const code = isTemporary(response.status) ? "service_unavailable" : "bad_request";
  return new AetherError(code, `${host} refused the upload with ${response.status}.`, {
    details: { answer: text.slice(0, 500) },
  });
}

/** 409: S3 asks to send it again when the object was removed at that moment. */
const isTemporary = (status: number): boolean => status >= 500 || status === 429 || status === 409;

function parseAnswer(text: string) {
  try {
    const { code, message } = JSON.parse(text);
    return isFailureCode(code) && typeof message === "string" ? { code, message } : undefined;
  } catch {
    return undefined; // not one of ours: S3 answers in XML
  }
}
