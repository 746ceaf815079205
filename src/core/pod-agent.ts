import { AetherError } from "../lib/errors.ts";
import { type FailureReason, failureReasons } from "./deployment.ts";
import { type Digest, isDigest } from "./digest.ts";

// What the builders write into a pod and the agent finds there: names, paths, commands. Both sides import this file only.

/** Keys of the agent's ConfigMap, which is mounted read-only at `paths.agentFolder` in every container that runs it. */
export const agentFileName = "agent.mjs";

/** What a token of the pod must be made for, and what TokenReview has to say it was made for. */
export const tokenAudience = "aether";

/** Names of a pod's volumes. */
export const podVolumes = {
  /** emptyDir with a limit, in both containers. */
  workspace: "workspace",
  /** emptyDir with a limit, in both containers: the root is read-only. */
  tmp: "tmp",
  /** The agent's ConfigMap, in the init container. */
  agent: "aether-agent",
  /** Projected token of `tokenAudience`, in the init container only. */
  token: "aether-token",
} as const;

/** Names of a pod's containers. */
export const podContainers = { fetch: "fetch", app: "app" } as const;

/** Where things are in a pod. */
export const podPaths = {
  workspace: "/workspace",
  tmp: "/tmp",
  agentFolder: "/aether",
  tokenFolder: "/var/run/aether",
  /** `path` of the projected token's source, below `tokenFolder`. */
  tokenFile: "token",
  /** The unpacked release, and the working folder of the application. */
  app: "/workspace/app",
  terminationMessage: "/dev/termination-log",
} as const;

/** Names below the workspace that the agent writes, beside `app`. */
export const workspaceNames = { app: "app", start: ".aether-start", run: ".aether-run" } as const;

/** `command` of the init container: fetch, verify and unpack the release, then end. */
export const fetchCommand = ["node", `${podPaths.agentFolder}/${agentFileName}`, "fetch"];

/**
 * `command` of the main container, for any image with a shell. The agent wrote the script, which runs the start command
 * below tini where the image has it: what it does is pinned with the agent and never in a pod's spec.
 */
export const appCommand = ["/bin/sh", `${podPaths.workspace}/${workspaceNames.run}`];

/** What the init container is told, by environment variables. */
export interface PodFetch {
  app: string;
  digest: Digest;
  /** `${INTERNAL_URL}/artifacts/<digest>/download?app=<app>`: never a presigned one, so it does not expire. */
  downloadUrl: string;
  /** A redirect may lead to these origins only (`https://s3.example.com`); none where the server sends the bytes itself. */
  storageOrigins: string[];
  /** Read anew before each request, since the kubelet rotates it. Absent where the server asks for no token. */
  tokenFile?: string | undefined;
  /** Present: one of these Ed25519 keys (hex) must have signed the digest. */
  publicKeys?: string[] | undefined;
  /** The release's start command; absent: what the artifact says, else `node server.js`. */
  start?: string | undefined;
  workspace: string;
  /** PEM file of further certificate authorities, in the container. */
  caFile?: string | undefined;
  /** Where the verdict goes, if not to `podPaths.terminationMessage`. */
  terminationFile?: string | undefined;
}

const names = {
  app: "AETHER_APP",
  digest: "AETHER_DIGEST",
  downloadUrl: "AETHER_DOWNLOAD_URL",
  storageOrigins: "AETHER_STORAGE_ORIGINS",
  tokenFile: "AETHER_TOKEN_FILE",
  publicKeys: "AETHER_PUBLIC_KEYS",
  start: "AETHER_START",
  workspace: "AETHER_WORKSPACE",
  terminationFile: "AETHER_TERMINATION_FILE",
  caFile: "NODE_EXTRA_CA_CERTS", // Node itself reads it when it starts, and adds it to the public ones
} as const;

/** The usual places, for what the builders leave to them. */
export const podFetchDefaults = {
  tokenFile: `${podPaths.tokenFolder}/${podPaths.tokenFile}`,
  workspace: podPaths.workspace,
} as const;

/** The init container's variables, sorted by name: the same release, the same list. */
export function toPodVariables(fetch: PodFetch): { name: string; value: string }[] {
  const { storageOrigins, publicKeys, ...plain } = fetch;
  const values = { ...plain, storageOrigins: storageOrigins.join(" "), publicKeys: publicKeys?.join(" ") };
  return Object.entries(names)
    .flatMap(([key, name]) => {
      const value = values[key as keyof typeof values];
      return value === undefined ? [] : [{ name, value: verbatim(value) }];
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The kubelet replaces `$(NAME)` in a variable and makes `$` of `$$`: a shell command must not be its to read. */
const verbatim = (value: string): string => value.replaceAll("$", "$$$$");

/** What `toPodVariables` wrote; a bad one is a bug of whoever wrote the pod, and named. */
export function parsePodVariables(env: Record<string, string | undefined>): PodFetch {
  const needed = (key: "app" | "digest" | "downloadUrl"): string => {
    const value = env[names[key]];
    if (value) return value;
    throw new AetherError("config_invalid", `The variable ${names[key]} is missing in this container.`);
  };
  const list = (key: "storageOrigins" | "publicKeys") => env[names[key]]?.split(" ").filter(Boolean);
  const digest = needed("digest");
  if (!isDigest(digest)) throw new AetherError("config_invalid", `${names.digest} is not a digest: "${digest}".`);
  const downloadUrl = needed("downloadUrl");
  if (!URL.canParse(downloadUrl)) throw new AetherError("config_invalid", `${names.downloadUrl} is not a URL.`);
  return {
    app: needed("app"),
    digest,
    downloadUrl,
    storageOrigins: list("storageOrigins") ?? [],
    tokenFile: env[names.tokenFile],
    publicKeys: list("publicKeys"),
    start: env[names.start],
    workspace: env[names.workspace] ?? podFetchDefaults.workspace,
    caFile: env[names.caFile],
    terminationFile: env[names.terminationFile],
  };
}

/** Why the init container ended, as the kubelet shows it: `state.terminated.message` of its status. */
export interface PodVerdict {
  reason: FailureReason;
  message: string;
  digest: Digest;
}

/** The kubelet keeps no more of a container's message. */
const maxMessageBytes = 4_096;

/** The termination message, cut to what the kubelet keeps. */
export function formatPodVerdict({ reason, message, digest }: PodVerdict): string {
  for (let kept = message; ; kept = `${kept.slice(0, Math.floor(kept.length * 0.8))}…`) {
    const text = JSON.stringify({ reason, message: kept, digest });
    if (new TextEncoder().encode(text).length <= maxMessageBytes) return text;
  }
}

/** The verdict in a termination message, or undefined when something else wrote it. */
export function parsePodVerdict(text: string): PodVerdict | undefined {
  try {
    const { reason, message, digest } = JSON.parse(text) as Partial<PodVerdict>;
    const isKnown = failureReasons.some((known) => known === reason);
    if (!isKnown || typeof message !== "string" || !isDigest(digest)) return undefined;
    return { reason: reason as FailureReason, message, digest };
  } catch {
    return undefined; // not JSON, or nothing that has properties
  }
}
