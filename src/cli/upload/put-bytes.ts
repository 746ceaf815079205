import { AetherError, isFailureCode } from "../../lib/errors.ts";
import { networkReason } from "../../lib/network-reason.ts";
import { retryAfter } from "../retry-after.ts";
import { fileBody } from "./file-body.ts";

export interface PutOptions {
  url: string;
  headers: Record<string, string>;
  artifact: { path: string };
  from: number;
  to: number;
  signal: AbortSignal;
  onProgress: (sentBytes: number) => void;
  stallMs?: number;
  answerMs?: number;
}

/** Bun's own `fetch` option: turns off its five minutes, for we watch by ourselves that bytes move. */
type UploadInit = RequestInit & { timeout: false };

/** Sends a range of a file to a signed URL, every header verbatim; returns the ETag. `conflict`: the bytes are there. */
export async function putBytes(options: PutOptions): Promise<string | undefined> {
  const { url, headers, artifact, from, to, signal } = options;
  using body = fileBody({ ...options, path: artifact.path });
  const init: UploadInit = {
    method: "PUT",
    // The length makes Bun send the stream as one sized body: stores refuse chunked ones.
    headers: { ...headers, "content-length": String(to - from) },
    body: body.stream,
    redirect: "manual",
    signal: body.signal,
    timeout: false,
  };
  try {
    const response = await fetch(url, init);
    if (response.ok) return response.headers.get("etag") ?? undefined;
    throw await refused(response);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof AetherError && !body.hasStalled()) throw error;
    const { host } = new URL(url);
    const why = body.hasStalled() ? "it stalled" : networkReason(error);
    throw new AetherError("unreachable", `The upload to ${host} broke after ${body.sentBytes()} bytes: ${why}.`, {
      cause: error,
      hint: "Check the network; the upload can be repeated at any time, and goes on where it stopped.",
      details: { storage: host },
    });
  }
}

/** A store's refusal, whether it speaks our JSON or S3's XML. */
async function refused(response: Response): Promise<AetherError> {
  const text = await response.text().catch(() => "");
  const { host } = new URL(response.url);
  const ours = parseJson(text);
  const said = ours?.message ?? parseXml(text);
  const code = ours?.code ?? codeOf(response.status);
  return new AetherError(code, `${host} refused the upload${said ? `: ${said}` : ` with ${response.status}.`}`, {
    hint: ours?.hint,
    details: {
      storage: host,
      ...retryAfter(response),
      ...(isAnExpiry(response.status, said) ? { reason: urlExpired } : {}),
    },
  });
}

const urlExpired = "url_expired";

/** Whether a signed URL was too old: a new one is all it takes. */
export function hasExpired(error: unknown): boolean {
  return error instanceof AetherError && error.details.reason === urlExpired;
}

// S3 says "Request has expired" (403) or ExpiredToken (400), and our own storage "This URL has expired" (403).
const isAnExpiry = (status: number, said: string | undefined): boolean =>
  (status === 403 || status === 400) && /expired/i.test(said ?? "");

function codeOf(status: number) {
  if (status === 404) return "not_found";
  if (status === 403) return "forbidden";
  if (status === 412) return "conflict";
  if (status === 429) return "rate_limited";
  return status >= 500 || isWorthAnother.has(status) ? "service_unavailable" : "bad_request";
}

/** 409: S3 asks to send it again when the object was removed at that moment. */
const isWorthAnother = new Set([408, 409]);

function parseJson(text: string) {
  try {
    const { code, message, hint } = JSON.parse(text);
    return isFailureCode(code) && typeof message === "string" ? { code, message, hint } : undefined;
  } catch {
    return undefined; // not one of ours: S3 answers in XML
  }
}

function parseXml(text: string): string | undefined {
  const [code, message] = ["Code", "Message"].map((tag) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1]);
  return code === undefined ? undefined : `${message ?? "it gave no reason"} (${code}).`;
}
