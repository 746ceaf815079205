import type { Readable, Writable } from "node:stream";
import type { AgentReport, Reload } from "../core/agent-report.ts";
import type { AppConfig } from "../core/app-config.ts";
import type { DeploymentFailure } from "../core/deployment.ts";
import type { Digest } from "../core/digest.ts";
import type { LogLine, LogQuery } from "../core/log-line.ts";
import type { Stages } from "../core/replica-stages.ts";
import type { Terminal } from "../core/terminal.ts";

/** What a runtime is asked to run: an artifact and its configuration, as one row of the database pins them. */
export interface Release {
  app: string;
  deploymentId: string;
  /** The app's running number of this release, shown as `v12`. */
  version: number;
  digest: Digest;
  /** Stable: answers a redirect to a fresh presigned URL whenever it is asked. */
  downloadUrl: string;
  /** Present: one of these public keys must have signed the digest, at every start of an agent. */
  publicKeys?: string[];
  /** Absent: the artifact's own `.aether/app.json`, else `node server.js`. */
  config?: AppConfig;
  replicas: number;
  /** It served before this start of the server: it serves again, tried as often as it takes, while newer ones are judged. */
  established?: boolean;
  /** The application's own variables. */
  env: Record<string, string>;
  /** For development: the code of later ones is loaded into its replicas while they run. */
  devHot?: boolean;
  /** What `pins` answered when the release was made; absent where the runtime pins nothing. */
  pins?: unknown;
}

/** What is known of a release while its row is made. */
export type UnpinnedRelease = Pick<
  Release,
  "app" | "deploymentId" | "version" | "digest" | "config" | "replicas" | "devHot"
> & {
  /** Pins of the dev-hot release that runs and that differs in its code alone. */
  reloads?: unknown;
};

export interface ApplyContext {
  /** A newer release of the app is applied next: this one only goes on where it runs. */
  followed?: boolean;
}

export interface ReplicaStatus {
  /** `shop-v12-0` locally, the pod's name on Kubernetes. */
  name: string;
  digest: Digest;
  version: number;
  state: "starting" | "running" | "restarting" | "stopping" | "failed";
  restarts: number;
  /** RFC 3339: when the replica came into this state. */
  since: string;
  /** How long its start took, once it has answered; of what was seen of it. */
  stages?: Stages;
  /** What it reported last of a digest that it was to load while it ran. */
  reload?: Reload;
  /** Why it did not answer when it was tried last; absent while it runs. */
  failure?: DeploymentFailure;
}

/** A verdict on one release. It comes only from replicas of *its* digest, or from a cause found. */
export type RuntimeEvent =
  | { type: "running"; app: string; deploymentId: string }
  | { type: "failed"; app: string; deploymentId: string; failure: DeploymentFailure };

/** Somebody has told the replicas of a dev-hot release to run another digest. */
export interface AnnotatedDigest {
  app: string;
  digest: Digest;
}

/** What applications will find: artifacts with native modules are checked against it before they are uploaded. */
export interface RuntimePlatform {
  os: string;
  arch: string;
  libc: "glibc" | "musl" | "none";
  /** The Node version applications run on, without `v`; undefined when no Node was found. */
  node?: string;
}

/** A command that a person runs, with its streams. */
export interface Session {
  /** Eight characters of a-z and 0-9. */
  id: string;
  command: string[];
  /** It runs in a terminal, and then `stderr` stays empty. */
  terminal?: Terminal;
  stdin: Readable;
  /** Both are ended with the command. */
  stdout: Writable;
  stderr: Writable;
  /** Ends the command, and what it started. */
  signal: AbortSignal;
}

/** One connection to a port of a replica. */
export interface Connection {
  /** Absent: where the application listens. */
  port?: number;
  input: Readable;
  /** Ended when the application has ended its side. */
  output: Writable;
  signal: AbortSignal;
}

/**
 * Where applications run. `apply` states what is wanted and returns; the verdict arrives as an event. The old release
 * serves until the new one answers, and for ever when it does not.
 */
export interface Runtime {
  readonly kind: "local" | "kubernetes" | "fake";
  /** Begins to observe; what an earlier process of ours left behind is adopted or removed first. */
  start(observe: (event: RuntimeEvent) => void, onAnnotated?: (told: AnnotatedDigest) => void): Promise<void>;
  /** Throws when applications cannot be run now. */
  check(): Promise<void>;
  platform(): Promise<RuntimePlatform>;
  /**
   * What this runtime wants kept with a release, as JSON: given back in `Release.pins` at every `apply`, and opaque to
   * everyone else. `repeated` is what was kept with the release whose artifact runs again (a rollback, a restart, other
   * variables). The app is locked meanwhile: it answers from what it knows, without asking others.
   */
  pins?(release: UnpinnedRelease, repeated?: unknown): Promise<unknown>;
  /** Why so many replicas of this configuration cannot run here, asked before it is wanted; undefined when they can. */
  scaleProblem?(wanted: Pick<Release, "config" | "replicas">): string | undefined;
  /** Idempotent: the same release again, with as many replicas or others, starts nothing anew and reports its verdict again. */
  apply(release: Release, context?: ApplyContext): Promise<void>;
  /** A release that was pending is wanted no more, as another server knows by now; without a word, nothing changes. */
  withdraw?(app: string, deploymentId: string): Promise<void>;
  /**
   * From now on so many replicas of whatever release the app has, without a new release: those that run go on. None: the
   * app stops, and starts with the next number. An app that was given nothing yet is left alone.
   */
  scale(app: string, replicas: number): Promise<void>;
  /** A replica of the app says what became of a digest; undefined when the app has no such replica. */
  report?(app: string, report: AgentReport): Promise<"new" | "repeated" | undefined>;
  /** Stops and forgets an application; idempotent. */
  remove(app: string): Promise<void>;
  /**
   * Another server removed the application, and another one of its name has come: what this process holds of the old one
   * goes, and nothing that servers share. Without a word, servers share nothing.
   */
  forget?(app: string): Promise<void>;
  replicas(app: string): Promise<ReplicaStatus[]>;
  /** Throws where these lines cannot be given: of a container that is not there, of a run that is not kept apart. */
  checkLogs(app: string, query: LogQuery): void;
  /** With `follow`, until `signal` aborts; an application without replicas is waited for. */
  logs(app: string, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Runs a command in a running replica, where the application runs and with its variables; its exit code, 128 + n for a signal. */
  exec(app: string, replica: string, session: Session): Promise<number>;
  /**
   * Runs a command of the release that serves, in an environment of its own that goes with it: no request reaches it, and
   * its end is nobody's verdict.
   */
  run(app: string, session: Session): Promise<number>;
  /** Connects to a running replica; settles when the connection is over. */
  forward(app: string, replica: string, connection: Connection): Promise<void>;
  /** Where people reach the application once it is deployed, or undefined when this runtime routes to none. */
  url(app: string): string | undefined;
  /** Ends everything this process started, within its grace. */
  stop(): Promise<void>;
}
