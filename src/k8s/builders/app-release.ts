import type { V1Toleration } from "@kubernetes/client-node";
import type { Digest } from "../../core/digest.ts";

/**
 * All that an application's objects depend on. It is read from the release's row and from nothing else, so that a server
 * with another agent, configuration or version builds the same objects, and rolls no application.
 */
export interface AppRelease {
  /** Which builder made the objects first; a row keeps it for good (`objects.ts`). */
  builder: number;
  app: string;
  namespace: string;
  deploymentId: string;
  /** The app's running number of this release, shown as `v12`. */
  version: number;
  digest: Digest;
  /** Stable, never presigned: pods keep it, and it is shown as an annotation. */
  downloadUrl: string;
  /** Where a redirect of `downloadUrl` may lead. */
  storageOrigins: string[];
  /** Present: one of these Ed25519 keys (hex) must have signed the digest. */
  publicKeys?: string[] | undefined;
  agent: Agent;
  /** What the application runs in; `{major}` stands for `nodeMajor`. */
  runtimeImage: string;
  nodeMajor: number;
  /** The start command; absent: what the artifact says, else `node server.js`. */
  start?: string | undefined;
  /** Absent: 3000. */
  port?: number | undefined;
  health?: { path: string } | undefined;
  env: Environment;
  /** Present: new code reaches its running pods. */
  devHot?: DevHot | undefined;
  /**
   * Absent while an autoscaler owns the number, ours or one that somebody made by hand. Who applies takes care of the first
   * time: a number that nobody but us has set falls to 1 when we no longer say it (tried on 1.34).
   */
  replicas?: number | undefined;
  autoscaler?: Autoscaler | undefined;
  resources?: Resources | undefined;
  /** Between SIGTERM and SIGKILL; the drain before comes on top. */
  graceSeconds: number;
  serviceType: "ClusterIP" | "NodePort" | "LoadBalancer";
  ingress?: IngressSettings | undefined;
  nodeSelector?: Record<string, string> | undefined;
  tolerations?: V1Toleration[] | undefined;
  /** PEM: who else may have issued the certificates of the server and of storage. */
  certificateAuthorities?: string | undefined;
}

/**
 * What a dev-hot release keeps of the one that its pods were made with. `digest`, `deploymentId` and `version` of the release
 * are those of the code that shall run now; the template holds the base's, so that a hundred reloads leave one ReplicaSet.
 */
export interface DevHot {
  base: Pick<AppRelease, "digest" | "deploymentId" | "version" | "downloadUrl">;
  /** Absent: `hotDefaults` of `core/pod-hot.ts`. */
  fetchIntervalSec?: number | undefined;
  fetchMaxRetries?: number | undefined;
  drainSec?: number | undefined;
}

/** The program that fetches a release inside its pod. */
export interface Agent {
  /** SHA-256 of the source, hex. */
  hash: string;
  /** Absent: another build's agent, whose ConfigMap must be there already. */
  source?: string | undefined;
}

/** The application's own variables (a `PORT` among them is overruled), and what hides them in their Secret's name. */
export interface Environment {
  values: Record<string, string>;
  /** 32 random bytes in hex, made and kept with the values (why: `secret.ts`). Not needed where there are none. */
  nameKey?: string | undefined;
}

export interface Autoscaler {
  minReplicas: number;
  maxReplicas: number;
  /** Of the requested CPU; absent: 70. */
  cpuPercent?: number | undefined;
}

/** Amounts as Kubernetes writes them: `250m`, `256Mi`. What is absent is filled in by `resources.ts`. */
export interface Resources {
  requests?: { cpu?: string | undefined; memory?: string | undefined } | undefined;
  limits?: { cpu?: string | undefined; memory?: string | undefined } | undefined;
}

export interface IngressSettings {
  host: string;
  /** Absent: the cluster's default class. */
  className?: string | undefined;
  /** Present: HTTPS, with that certificate or, without a name, with the controller's own. */
  tls?: { secretName?: string | undefined } | undefined;
  /** For the controller and for cert-manager. */
  annotations?: Record<string, string> | undefined;
}
