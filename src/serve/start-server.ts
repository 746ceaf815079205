import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ownNames, type ServerConfig } from "../config/server.ts";
import type { Control } from "../control/control.ts";
import { createEventFeed } from "../control/event-feed.ts";
import { startRollouts } from "../control/rollouts.ts";
import { releaseLapsedClaims } from "../control/verification-lease.ts";
import { createDeliveries } from "../control/webhook-deliveries.ts";
import { createWebhookSender } from "../control/webhook-sender.ts";
import { openDataFolder } from "../db/data-folder.ts";
import { armCrashPoint } from "../lib/crash-point.ts";
import { pollers, runPollers } from "../pollers/index.ts";
import { createApp } from "../server/app.ts";
import { createStorageHandler } from "../server/storage-handler.ts";
import { createUploadSlots, limitPuts } from "../server/upload-slots.ts";
import { sweepFolder } from "../storage/sweep-folder.ts";
import { createLogger } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { addressesOf } from "./addresses.ts";
import { listen } from "./listen.ts";
import { openData } from "./open-data.ts";
import { openRuntime } from "./open-runtime.ts";

export interface ServerSummary {
  api: string;
  /** The pattern of applications' addresses; null where there is none. */
  apps: string | null;
  /** Null where something else routes to applications. */
  gateway: string | null;
  port: number;
  data_dir: string;
  pid: number;
}

export interface RunningServer {
  summary: ServerSummary;
  /** Resolves when everything has stopped, after `signal` asked for it. */
  until(signal: AbortSignal): Promise<void>;
}

export interface ServerOptions {
  config: ServerConfig;
  env: Record<string, string | undefined>;
  isInteractive: boolean;
}

/** Puts the parts together and starts them; when one fails, those before it are taken down again, newest first. */
export async function startServer({ config, env, isInteractive }: ServerOptions): Promise<RunningServer> {
  const log = createLogger({
    level: config.logLevel,
    format: config.logFormat ?? (isInteractive ? "text" : "json"),
    write: (line) => void process.stderr.write(line),
  });
  armCrashPoint(env);
  await using stack = new AsyncDisposableStack();

  const dataFolder = await openDataFolder(config.dataFolder, { command: "aether serve", now });
  stack.defer(() => dataFolder.release());
  const api = listen({ host: config.host, port: config.port, what: "API", flag: "--port" });
  stack.defer(() => api.close(config.graceMs));
  const addresses = addressesOf(config, api.port);
  const agentToken = randomBytes(32).toString("hex");
  const { runtime, gateway, appsUrl, identifyPod } = await openRuntime(
    { config, env, dataFolder, addresses, agentToken, log },
    stack,
  );
  const { database, storage, secrets } = await openData({ config, dataFolder, addresses, log, now }, stack);

  const { db, check: checkDatabase } = database;
  const send = createWebhookSender({ allowPrivate: config.webhookAllowPrivate });
  const deliveries = createDeliveries({ db, secrets, send, log: log.with({ part: "webhooks" }) });
  stack.defer(() => deliveries.close(2_000));
  const events = createEventFeed({ db, log, onDeliveries: deliveries.nudge });
  stack.defer(() => events.close());
  const settings = { ...config, internalUrl: addresses.internal, verifyLeaseMs: 15_000, dataFolder: dataFolder.path };
  const opened = { db, checkDatabase, storage, runtime, events, secrets };
  const control: Control = { ...opened, log, metrics: createMetrics(), now, settings };
  await releaseLapsedClaims(control, { isAlone: database.kind === "pglite" });
  const rollouts = await startRollouts(control);
  stack.defer(async () => {
    await runtime.stop();
    await rollouts.settle();
  });
  const stopping = new AbortController();
  const uploadSlots = createUploadSlots(config.maxConcurrentUploads);
  const app = createApp({
    control,
    rollouts,
    tokens: config.tokens,
    authRequired: config.authRequired,
    agentToken,
    identifyPod,
    ownHosts: addresses.hostsOf(ownNames(config)),
    rateLimit: config.rateLimit,
    corsAllowedOrigins: config.corsAllowedOrigins,
    uploadSlots,
    stopping: stopping.signal,
  });
  const handleStorage =
    storage.kind === "filesystem"
      ? createStorageHandler(limitPuts(storage.handle, uploadSlots), control.metrics)
      : undefined;
  api.serve((request, connection) => {
    if (handleStorage && new URL(request.url).pathname.startsWith("/storage/")) return handleStorage(request);
    return app.fetch(request, connection);
  });
  const housekeeping = {
    database: () => database.maintain(now()),
    storage: async () => {
      await sweepFolder(join(dataFolder.path, "incoming"), new Date(now().getTime() - hourMs));
      if (storage.kind === "s3") return; // the bucket keeps no temporary files
      await storage.sweep({ temporaryMs: hourMs, multipartMs: config.pendingTtlSecs * 1000 });
    },
  };
  const list = pollers(control, rollouts, {
    pendingGcIntervalMs: config.pendingGcIntervalSecs * 1000,
    deliveries,
    housekeeping,
    ...(storage.kind === "s3" ? { probe: storage.probe } : {}),
  });
  const polling = runPollers(list, control, stopping.signal);
  stack.defer(async () => {
    stopping.abort(); // open streams end by it
    // Whoever asked is still answered, while everything below is there.
    await Promise.all([polling.end(config.graceMs), api.close(config.graceMs), gateway?.stop(config.graceMs)]);
  });

  const parts = stack.move();
  const summary = {
    api: addresses.public,
    apps: appsUrl,
    gateway: gateway ? `http://${config.host}:${gateway.port}` : null,
    port: api.port,
    data_dir: dataFolder.path,
    pid: process.pid,
  };
  log.info("ready", { ...summary, database: database.kind, storage: storage.kind, runtime: runtime.kind });
  return {
    summary,
    async until(signal) {
      await aborted(signal);
      log.info("stopping");
      await parts.disposeAsync();
      log.info("stopped");
    },
  };
}

const hourMs = 3_600_000;
const now = (): Date => new Date();

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
