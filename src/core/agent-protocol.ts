import type { ProcessRecord } from "../lib/processes.ts";
import type { AppConfig } from "./app-config.ts";
import type { FailureReason } from "./deployment.ts";
import type { Digest } from "./digest.ts";

/**
 * What the local driver tells an agent: the first line on its standard input, so that no value shows in `ps`. Standard
 * input stays open as a lifeline: its end means that the server is gone, and the agent stops its application and itself.
 */
export interface AgentSpec {
  app: string;
  digest: Digest;
  /** The replica's name in log lines. */
  replica: string;
  /** Stable artifact URL; the agent follows one redirect by hand. */
  downloadUrl: string;
  /** The `Authorization` header for `downloadUrl`, where the server demands one. */
  authorization?: string;
  /**
   * Present: one of these Ed25519 keys (hex) must have signed the digest. They come from whoever starts the agent, never
   * from where the artifact comes from.
   */
  publicKeys?: string[];
  /** The agent drops nothing to any other origin. */
  storageOrigins: string[];
  /** Absolute. The release is unpacked to `<releasesFolder>/<digest>`, shared by the replicas of a host. */
  releasesFolder: string;
  /** Absolute; this replica's own log segments. */
  logFolder: string;
  /** Absolute. JSON `ReplicaRecord`: what a later server looks for when this one and the agent were killed. */
  recordPath: string;
  config?: AppConfig;
  /** Where to listen, unless the application has a port of its own. */
  port: number;
  /** The whole environment of the application, apart from what the agent adds (`PORT`, `PATH` with `node_modules/.bin`). */
  env: Record<string, string>;
  /** SIGTERM, then SIGKILL after this. */
  graceMs: number;
  /** A start that does not answer in this time has failed. */
  startTimeoutMs: number;
  /** Prepare the release, then wait for the command `start`: the port it wants is still another release's. */
  waitForStart?: boolean;
}

/** The processes of a replica, as the agent writes them down before it reports `started`. */
export interface ReplicaRecord {
  agent?: ProcessRecord;
  /** The leader of the application's process group. */
  app?: ProcessRecord;
}

/** Later lines on the agent's standard input. */
export type AgentCommand = { op: "start" } | { op: "stop" };

/** Lines on the agent's standard output, one JSON object each. Log lines go to files, not here. */
export type AgentEvent =
  | { event: "fetched"; ms: number; bytes: number; reused: boolean }
  | { event: "unpacked"; ms: number }
  /** The release lies there and its configuration is known; sent before the first `started`. */
  | { event: "prepared" }
  | { event: "started"; pid: number; attempt: number }
  | { event: "answering"; ms: number; host: string; port: number }
  | { event: "exited"; code: number | null; signal: string | null; restartInMs: number }
  | { event: "failed"; reason: FailureReason; message: string; log: string[] }
  | { event: "stopped" };
