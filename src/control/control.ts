import type { ServerConfig } from "../config/server.ts";
import type { Database, Db } from "../db/client.ts";
import type { Sealer } from "../lib/sealer.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ArtifactStorage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { EventFeed } from "./event-feed.ts";

/** What the decisions depend on; made once by `serve`, by hand in tests. */
export interface Control {
  db: Db;
  checkDatabase: Database["check"];
  storage: ArtifactStorage;
  runtime: Runtime;
  events: EventFeed;
  /** Seals what the database must not show. */
  secrets: Sealer;
  log: Logger;
  metrics: Metrics;
  now: () => Date;
  settings: ControlSettings;
}

/** The part of the configuration that decisions depend on. */
export interface ControlSettings
  extends Pick<
    ServerConfig,
    | "presignExpireSeconds"
    | "verifyRemoteSize"
    | "verifyRemoteDigest"
    | "verifyRemoteHash"
    | "remoteHashMaxBytes"
    | "maxArtifactSizeBytes"
    | "maxArtifactsPerApp"
    | "maxTotalBytesPerApp"
    | "retainLatestPerApp"
    | "retainMaxAgeSecs"
    | "deploymentFailedTtlSecs"
    | "requirePresign"
    | "pendingTtlSecs"
    | "requireSignature"
    | "multipartThresholdBytes"
    | "multipartPartSizeBytes"
    | "webhookAllowPrivate"
    | "maxConcurrentUploads"
    | "directUpload"
    | "dataFolder"
  > {
  /** Base URL under which applications' agents reach this server. */
  internalUrl: string;
  /** How long a verification is its server's own after its last sign of life; then another takes it over. */
  verifyLeaseMs: number;
}

/** Who asks for a change, for the audit. */
export interface Actor {
  name: string;
  requestId?: string;
}

/** The control plane acting by itself. */
export const system: Actor = { name: "system" };
