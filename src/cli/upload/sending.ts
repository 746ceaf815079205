import { retry } from "../../lib/retry.ts";
import { type Client, isTransient } from "../client.ts";
import { askedDelayMs, isBusy } from "../retry-after.ts";
import { hasExpired, type PutOptions, putBytes } from "./put-bytes.ts";

export interface UploadOptions {
  client: Client;
  app: string;
  /** The app as the server named it first: what is repeated must not create it again when it was deleted meanwhile. */
  met: { id?: string };
  artifact: { path: string; digest: string; sizeBytes: number; signature?: string };
  signal: AbortSignal;
  /** Bytes of the artifact that are stored or under way, of this run or an earlier one. */
  onProgress: (doneBytes: number) => void;
  /** Told when the network failed and the upload is tried again. */
  onRetry: (error: unknown) => void;
  /** Told once when the server asks to come back later. */
  onBusy: (error: unknown) => void;
  /** How long a storage that is away is asked again. */
  patienceMs?: number;
}

/** What an upload cost: both together are the artifact's size. */
export interface Uploaded {
  uploadedBytes: number;
  reusedBytes: number;
  /** What a person should know about the way it went. */
  note?: string;
}

/** What to ask the server for, in each of its upload calls. */
export function requestOf({ app, artifact }: UploadOptions) {
  return { app_name: app, digest: artifact.digest, size_bytes: artifact.sizeBytes };
}

/** Asks where to send the artifact, of the same app each time. */
export async function askToSend(options: UploadOptions) {
  const { client, met } = options;
  const view = await client.presign({ ...requestOf(options), ...sameApp(met) });
  met.id ??= view.app_id;
  return view;
}

/** What names the app of the calls before. */
export const sameApp = ({ id }: UploadOptions["met"]) => (id === undefined ? {} : { app_id: id });

/** What completing it says: the same, and who signed it. */
export function completionOf(options: UploadOptions) {
  const { signature } = options.artifact;
  return { ...requestOf(options), ...(signature === undefined ? {} : { signature }) };
}

/** An upload goes on when the storage was away for less than this. */
const storagePatienceMs = 30_000;

/** Whoever is asked to wait for a turn waits this long. */
const turnPatienceMs = 600_000;

export type Send = (piece: Pick<PutOptions, "url" | "headers" | "from" | "to">) => Promise<string | undefined>;

/** Repeats `work`, new URL and all, while it is `send` that fails; the client has repeated its own calls already. */
export function sendAgain<T>(options: UploadOptions, work: (send: Send, attempt: number) => Promise<T>): Promise<T> {
  let isSending = false;
  return retry(
    (attempt) => {
      isSending = false;
      return work((piece) => {
        isSending = true;
        return inTurn(options, () => putBytes({ ...options, ...piece }));
      }, attempt);
    },
    {
      attempts: 5,
      patienceMs: options.patienceMs ?? storagePatienceMs,
      signal: options.signal,
      shouldRetry: (error) => isSending && !isBusy(error) && (isTransient(error) || hasExpired(error)),
      onRetry: (error, attempt) => attempt <= 3 && options.onRetry(error), // four at a time would tell it for half a minute
    },
  );
}

/** Repeats a transfer for as long as the server is busy with those of others. */
export function inTurn<T>({ signal, onBusy }: UploadOptions, transfer: () => Promise<T>): Promise<T> {
  return retry(transfer, {
    attempts: 1,
    patienceMs: turnPatienceMs,
    signal,
    shouldRetry: isBusy,
    onRetry: onBusy,
    askedDelayMs,
  });
}
