import type { Db } from "../db/client.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ArtifactStorage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** What the decisions depend on; made once by `serve`, by hand in tests. */
export interface Control {
  db: Db;
  storage: ArtifactStorage;
  runtime: Runtime;
  log: Logger;
  metrics: Metrics;
  now: () => Date;
  settings: ControlSettings;
}

export interface ControlSettings {
  /** Base URL under which applications' agents reach this server. */
  internalUrl: string;
  presignExpireSeconds: number;
  verifyRemoteSize: boolean;
  verifyRemoteHash: boolean;
  remoteHashMaxBytes: number;
  maxArtifactSizeBytes: number;
  pendingTtlSecs: number;
  multipartThresholdBytes: number;
  multipartPartSizeBytes: number;
}

/** Who asks for a change, for the audit. */
export interface Actor {
  name: string;
  requestId?: string;
}

/** The control plane acting by itself. */
export const system: Actor = { name: "system" };
