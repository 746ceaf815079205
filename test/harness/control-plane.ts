import { createHash } from "node:crypto";
import { join } from "node:path";
import { type ApiToken, hashToken } from "../../src/config/tokens.ts";
import type { Control, ControlSettings } from "../../src/control/control.ts";
import { createEventFeed } from "../../src/control/event-feed.ts";
import { startRollouts } from "../../src/control/rollouts.ts";
import { createDeliveries } from "../../src/control/webhook-deliveries.ts";
import { createWebhookSender, type SenderOptions } from "../../src/control/webhook-sender.ts";
import { createSealer } from "../../src/lib/sealer.ts";
import { createFakeRuntime } from "../../src/runtime/fake.ts";
import { listen } from "../../src/serve/listen.ts";
import { apiDocument } from "../../src/server/api-document.ts";
import { type AppOptions, createApp } from "../../src/server/app.ts";
import { createStorageHandler } from "../../src/server/storage-handler.ts";
import { createUploadSlots, limitPuts } from "../../src/server/upload-slots.ts";
import { createFilesystemStorage } from "../../src/storage/filesystem.ts";
import type { ArtifactStorage } from "../../src/storage/storage.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { createAnswerCheck } from "./answer-check.ts";
import { type OpenTestDatabase, openTestDatabase } from "./database.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface HarnessOptions {
  open?: OpenTestDatabase;
  settings?: Partial<ControlSettings>;
  tokens?: ApiToken[];
  /** Where artifacts lie instead of in files; it keeps its own time. */
  artifacts?: ArtifactStorage;
  /** Further options of the HTTP side. */
  http?: Partial<AppOptions>;
  /** The address at which pods reach this machine: it listens to all then, and signs URLs for them with it. */
  reachableAt?: string;
  /** How webhooks are sent; to this machine by default. */
  sender?: Partial<SenderOptions>;
}

/** A whole control plane: real SQL, real files, real HTTP on a free port; only the runtime is a fake, and the clock is ours. */
export async function createHarness(options: HarnessOptions = {}) {
  const {
    open = openTestDatabase,
    settings = {},
    tokens = [],
    artifacts,
    http = {},
    sender = {},
    reachableAt,
  } = options;
  const [folder, database] = await Promise.all([temporaryFolder(), open()]);
  const listener = listen({ host: reachableAt ? "0.0.0.0" : "127.0.0.1", port: 0, what: "API", flag: "--port" });
  const api = `http://127.0.0.1:${listener.port}`;
  const internalUrl = `http://${reachableAt ?? "127.0.0.1"}:${listener.port}`;
  let clock = new Date("2026-01-01T00:00:00Z");
  const now = () => clock;
  const lines: string[] = [];
  const storage = createFilesystemStorage({
    folder: join(folder.path, "storage"),
    secret: new Uint8Array(32).fill(7),
    publicUrl: api,
    internalUrl,
    now,
  });
  const runtime = createFakeRuntime();
  const { db } = database;
  const log = createLogger({ level: "debug", format: "json", write: (line) => void lines.push(line) });
  const secrets = createSealer([new Uint8Array(32).fill(9)]);
  const sendWebhook = createWebhookSender({ allowPrivate: true, ...sender });
  const deliveries = createDeliveries({ db, secrets, send: sendWebhook, log });
  const events = createEventFeed({ db, log, onDeliveries: deliveries.nudge });
  const control: Control = {
    db,
    checkDatabase: () => database.check(),
    storage: artifacts ?? storage,
    runtime,
    events,
    secrets,
    metrics: createMetrics(),
    now,
    log,
    settings: { ...defaults, internalUrl, dataFolder: folder.path, ...settings },
  };
  const rollouts = await startRollouts(control);
  const hosts = new Set([`127.0.0.1:${listener.port}`, `localhost:${listener.port}`]);
  const stopping = new AbortController();
  const uploadSlots = createUploadSlots(control.settings.maxConcurrentUploads);
  const app = createApp({
    control,
    rollouts,
    tokens,
    authRequired: tokens.length > 0,
    agentToken,
    ownHosts: hosts,
    uploadSlots,
    stopping: stopping.signal,
    ...http,
  });
  const handleStorage = createStorageHandler(limitPuts(storage.handle, uploadSlots), control.metrics);
  const problems: string[] = [];
  const problemOf = createAnswerCheck(JSON.parse(JSON.stringify(apiDocument(app))));
  listener.serve(async (request, connection) => {
    const { pathname: path } = new URL(request.url);
    if (path.startsWith("/storage/")) return handleStorage(request);
    const response = await app.fetch(request, connection);
    const contentType = response.headers.get("content-type") ?? "";
    const isStream = contentType.startsWith("text/event-stream") || path.endsWith("/logs");
    const body = isStream ? "" : await response.clone().text();
    const problem = problemOf({ method: request.method, path, status: response.status, contentType, body });
    if (problem !== undefined) problems.push(problem);
    return response;
  });

  /** Sends a request to the API; `body` goes as JSON. */
  async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const json = body === undefined ? {} : { "content-type": "application/json" };
    const response = await fetch(`${api}${path}`, {
      method,
      headers: { ...json, ...headers },
      redirect: "manual",
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text,
    };
  }

  /** Stores bytes as an artifact of `name`, as the command line does. */
  async function store(name: string, bytes: Uint8Array, headers: Record<string, string> = {}) {
    const digest = digestOf(bytes);
    const request = { app_name: name, digest, size_bytes: bytes.length };
    const { body } = await send("POST", "/artifacts/presign", request, headers);
    if (body.method === "PUT") await put(body, bytes);
    const completed = await send("POST", "/artifacts/complete", request, headers);
    if (completed.status !== 200) throw new Error(JSON.stringify(completed.body));
    return { digest, ...completed.body };
  }

  return {
    api,
    internalUrl,
    control,
    deliveries,
    /** What a server that stops says to its open streams. */
    stop: () => stopping.abort(),
    rollouts,
    runtime,
    storage,
    lines,
    send,
    store,
    advance: (ms: number) => {
      clock = new Date(clock.getTime() + ms);
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await listener.close(0);
      await rollouts.settle();
      await events.close();
      await deliveries.close(0);
      await database[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
      if (problems.length > 0) throw new Error(`Answers differ from the API's document:\n${problems.join("\n")}`);
    },
  };
}

/** Sends bytes to a presigned URL, every header verbatim. */
export function put(
  { upload_url, headers }: { upload_url: string; headers: Record<string, string> },
  bytes: Uint8Array,
) {
  return fetch(upload_url, { method: "PUT", headers, body: new Blob([bytes.slice()]) });
}

/** What agents of the harness's server would send. */
export const agentToken = "agent-token-0123456789";

/** Bytes that no other test stores. */
export const someBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Lower-case hex SHA-256. */
export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A token of a role, as the server is configured with it. */
export const apiToken = (token: string, role: ApiToken["role"]): ApiToken => ({
  hash: hashToken(token),
  role,
  name: `${role}-test`,
});

const defaults: Omit<ControlSettings, "internalUrl" | "dataFolder"> = {
  presignExpireSeconds: 900,
  verifyRemoteSize: true,
  verifyRemoteDigest: true,
  verifyRemoteHash: true,
  remoteHashMaxBytes: 512 * 1024 ** 2,
  maxArtifactSizeBytes: 1024 ** 2,
  maxArtifactsPerApp: undefined,
  maxTotalBytesPerApp: undefined,
  retainLatestPerApp: 10,
  retainMaxAgeSecs: undefined,
  deploymentFailedTtlSecs: undefined,
  requirePresign: false,
  verifyLeaseMs: 15_000,
  pendingTtlSecs: 3600,
  requireSignature: false,
  multipartThresholdBytes: 64 * 1024 ** 2,
  multipartPartSizeBytes: 16 * 1024 ** 2,
  webhookAllowPrivate: true,
  maxConcurrentUploads: 32,
  directUpload: false,
};
