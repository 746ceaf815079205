import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemCode } from "../lib/errors.ts";
import { askServer, get, isRedirect, type ServerOptions } from "./ask-server.ts";
import { AgentFailure } from "./failure.ts";

export interface FetchOptions extends ServerOptions, RetryOptions {
  /** A redirect may lead to these origins only. */
  storageOrigins: string[];
  /** Where the bytes go; the caller owns and removes it. */
  path: string;
}

/** How often what is no verdict is tried again. */
export interface RetryOptions {
  /** Pauses between tries; when they are used up, the last error is the verdict. */
  retryMs?: number[];
  /** The last pause is repeated for ever: a pod waits for its server as long as it lives. */
  forever?: boolean;
  /** Told why, before each pause. */
  onRetry?: (error: unknown, pauseMs: number) => void;
}

const defaultRetryMs = [100, 300, 1_000, 3_000, 6_000, 10_000, 15_000];
/** Nothing larger is stored anywhere (S3 takes 5 GiB in one PUT): a store that streams for ever must not fill the disk. */
const maxBytes = 5 * 1024 ** 3;

/** Downloads an artifact and compares its SHA-256; anything but a verdict is tried again, later and later. */
export function fetchArtifact(options: FetchOptions): Promise<{ bytes: number }> {
  const received = nothingReceived();
  return untilVerdict(options, () => downloadOnce(options, received));
}

/** Asks whether an artifact that lies here already may be run: the server and its signature decide at every start. */
export function askPermission(options: ServerOptions & RetryOptions): Promise<void> {
  return untilVerdict(options, async () => {
    const answer = await askServer(options, {});
    answer.destroy();
    if (!isRedirect(answer) && answer.statusCode !== 200) throw refusal(answer.statusCode ?? 0, "server", options);
  });
}

async function untilVerdict<T>(
  options: RetryOptions & Pick<ServerOptions, "signal">,
  attemptOnce: () => Promise<T>,
): Promise<T> {
  const { retryMs = defaultRetryMs, forever = false, onRetry, signal } = options;
  let denials = 0;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await attemptOnce();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AgentFailure || isDiskError(error)) throw error;
      denials = error instanceof Denied ? denials + 1 : 0;
      const pauseMs = retryMs[attempt] ?? (forever ? retryMs.at(-1) : undefined);
      if (pauseMs === undefined || denials > 1) throw lastError(error);
      const jitteredMs = pauseMs * (0.5 + Math.random());
      onRetry?.(error, jitteredMs);
      await sleep(jitteredMs, undefined, { signal });
    }
  }
}

/** What lies in the file already, when a transfer was cut: the next one goes on from there if it is the same object. */
interface Received {
  bytes: number;
  hash: Hash;
  /** A strong validator; without one there is nothing to go on from. */
  etag: string | undefined;
}

const nothingReceived = (): Received => ({ bytes: 0, hash: createHash("sha256"), etag: undefined });

/** An answer that means later. Behind a proxy it is how a server is away. */
export class NotNow extends Error {
  override readonly name = "NotNow";
  readonly status: number;

  constructor(from: string, status: number) {
    super(`the ${from} answered ${status}`);
    this.status = status;
  }
}

/** No to a credential that changes, a signed URL or a token read from a file: it may have expired, once more gets a fresh one. */
class Denied extends Error {}

async function downloadOnce(options: FetchOptions, received: Received): Promise<{ bytes: number }> {
  const url = new URL(options.downloadUrl);
  const first = await askServer(options, resumption(received));
  if (!isRedirect(first)) return save(first, options, { from: "server", received });
  first.resume();
  const target = redirectTarget(first, url, options.storageOrigins);
  return save(await get(target, options, resumption(received)), options, { from: "storage", received });
}

function resumption({ bytes, etag }: Received): Record<string, string> {
  return bytes > 0 && etag !== undefined ? { range: `bytes=${bytes}-`, "if-match": etag } : {};
}

async function save(
  response: IncomingMessage,
  options: FetchOptions,
  { from, received }: { from: "server" | "storage"; received: Received },
): Promise<{ bytes: number }> {
  const resumed = continues(response, received);
  if (!resumed) Object.assign(received, nothingReceived(), { etag: strongTag(response) });
  if (!resumed && response.statusCode !== 200) {
    response.resume();
    throw refusal(response.statusCode ?? 0, from, options);
  }
  await append(response, options.path, received);
  const found = received.hash.digest("hex");
  if (found === options.digest) return { bytes: received.bytes };
  Object.assign(received, nothingReceived());
  if (resumed) throw new Error("what was put together from two transfers does not match"); // once more, in one piece
  throw new AgentFailure(
    "digest_mismatch",
    `The artifact that was downloaded is not the one that was deployed: its SHA-256 is ${found}, not ${options.digest}.`,
  );
}

function continues(response: IncomingMessage, { bytes }: Received): boolean {
  return (
    response.statusCode === 206 &&
    bytes > 0 &&
    response.headers["content-range"]?.startsWith(`bytes ${bytes}-`) === true
  );
}

function strongTag({ headers }: IncomingMessage): string | undefined {
  return headers.etag?.startsWith('"') ? headers.etag : undefined;
}

async function append(response: IncomingMessage, path: string, received: Received): Promise<void> {
  const file = await open(path, received.bytes === 0 ? "w" : "r+", 0o600);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (received.bytes + chunk.length > maxBytes) {
        throw new AgentFailure("digest_mismatch", "The artifact is larger than any artifact may be.");
      }
      await writeWhole(file, chunk, received.bytes);
      received.hash.update(chunk);
      received.bytes += chunk.length;
    }
  } finally {
    await file.close();
  }
}

async function writeWhole(file: FileHandle, chunk: Buffer, at: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await file.write(chunk, done, chunk.length - done, at + done)).bytesWritten;
  }
}

function redirectTarget(response: IncomingMessage, from: URL, origins: string[]): URL {
  const target = new URL(response.headers.location ?? "", from);
  if (origins.includes(target.origin)) return target;
  throw new AgentFailure(
    "artifact_not_found",
    `The download was redirected to ${target.origin}, which is not the storage.`,
  );
}

function refusal(status: number, from: "server" | "storage", { authorization }: ServerOptions): Error {
  if (status === 412 || status === 416 || status === 429 || status >= 500) return new NotNow(from, status);
  const isRenewed = from === "storage" ? status === 403 : status === 401 && typeof authorization === "function";
  if (isRenewed) return new Denied(`the ${from} answered ${status}`);
  return new AgentFailure("artifact_not_found", `The artifact cannot be downloaded: the ${from} answered ${status}.`);
}

function lastError(error: unknown): AgentFailure {
  if (error instanceof Denied) {
    return new AgentFailure("artifact_not_found", `The artifact cannot be downloaded: ${error.message}.`, {
      isDenied: true,
    });
  }
  return new AgentFailure("server_unreachable", `The artifact cannot be downloaded: ${messageOf(error)}.`, {
    cause: error,
  });
}

function isDiskError(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "EMFILE"].includes(systemCode(error) ?? "");
}
