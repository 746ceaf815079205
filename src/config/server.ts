import { hostname, networkInterfaces } from "node:os";
import { z } from "zod";
import { testBuildVariables } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { nearest } from "../lib/nearest.ts";
import { type KubernetesConfig, kubernetesConfig } from "./kubernetes.ts";
import { type ObjectStoreConfig, objectStoreConfig } from "./object-store.ts";
import { readPaths } from "./paths.ts";
import { commandLineVariables, serverVariables } from "./server-variables.ts";
import { type ApiToken, parseApiTokens } from "./tokens.ts";

const serverEnvironment = z.object(serverVariables);

/** So many writes in so many seconds. */
export interface RateLimit {
  requests: number;
  seconds: number;
}

export interface ServerConfig {
  host: string;
  port: number;
  gatewayPort: number;
  dataFolder: string;
  publicUrl: string | undefined;
  internalUrl: string | undefined;
  databaseUrl: string | undefined;
  tokens: ApiToken[];
  authRequired: boolean;
  rateLimit: RateLimit | undefined;
  corsAllowedOrigins: string[];
  secretsKey: string | undefined;
  secretsKeyFile: string | undefined;
  secretsKeyPrevious: string | undefined;
  /** Absent: artifacts lie in the data folder. */
  objectStore: ObjectStoreConfig | undefined;
  presignExpireSeconds: number;
  verifyRemoteSize: boolean;
  verifyRemoteDigest: boolean;
  verifyRemoteHash: boolean;
  remoteHashMaxBytes: number;
  maxArtifactSizeBytes: number;
  maxArtifactsPerApp: number | undefined;
  maxTotalBytesPerApp: number | undefined;
  retainLatestPerApp: number;
  retainMaxAgeSecs: number | undefined;
  pendingTtlSecs: number;
  pendingGcIntervalSecs: number;
  deploymentFailedTtlSecs: number | undefined;
  multipartThresholdBytes: number;
  multipartPartSizeBytes: number;
  maxConcurrentUploads: number;
  directUpload: boolean;
  requirePresign: boolean;
  requireSignature: boolean;
  webhookAllowPrivate: boolean;
  /** Absent: applications are processes of this machine. */
  kubernetes: KubernetesConfig | undefined;
  startTimeoutMs: number;
  graceMs: number;
  logLevel: "debug" | "info" | "warn" | "error";
  logFormat: "text" | "json" | undefined;
}

/** The only place that knows the server's variable names; every bad one is reported at once. */
export function parseServerConfig(env: Record<string, string | undefined>): ServerConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = serverEnvironment.safeParse(given);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`)),
    ...unknownVariables(given),
  ];
  if (!parsed.success || problems.length > 0) throw invalid(problems);
  const values = parsed.data;
  const tokens = parseApiTokens(values.AETHER_API_TOKENS);
  return withDefaults(env, values, tokens);
}

function withDefaults(
  env: Record<string, string | undefined>,
  values: z.infer<typeof serverEnvironment>,
  tokens: ApiToken[],
): ServerConfig {
  const loopback = isLoopback(values.AETHER_HOST);
  const authRequired = values.AETHER_AUTH_REQUIRED ?? (tokens.length > 0 || !loopback);
  if (authRequired && tokens.length === 0) {
    const why = loopback
      ? "AETHER_AUTH_REQUIRED=1"
      : `listening on ${values.AETHER_HOST}, which other machines can reach`;
    throw new AetherError("config_invalid", `Access tokens are needed for ${why}, and AETHER_API_TOKENS is empty.`, {
      hint: "Set AETHER_API_TOKENS=<token>:admin, or AETHER_AUTH_REQUIRED=0 to let everyone in.",
    });
  }
  return {
    host: values.AETHER_HOST,
    port: values.AETHER_PORT,
    gatewayPort: values.AETHER_GATEWAY_PORT,
    dataFolder: values.AETHER_DATA_DIR ?? readPaths(env).dataFolder,
    publicUrl: values.AETHER_PUBLIC_URL,
    internalUrl: values.AETHER_INTERNAL_URL,
    databaseUrl: values.DATABASE_URL,
    tokens,
    authRequired,
    rateLimit: rateLimitOf(values.AETHER_RATE_LIMIT ?? (loopback ? "off" : "600/60")),
    corsAllowedOrigins: values.AETHER_CORS_ALLOWED_ORIGINS ?? [],
    secretsKey: values.AETHER_SECRETS_KEY,
    secretsKeyFile: values.AETHER_SECRETS_KEY_FILE,
    secretsKeyPrevious: values.AETHER_SECRETS_KEY_PREVIOUS,
    objectStore: objectStoreConfig(values, env),
    presignExpireSeconds: values.AETHER_PRESIGN_EXPIRE_SECONDS,
    verifyRemoteSize: values.AETHER_VERIFY_REMOTE_SIZE,
    verifyRemoteDigest: values.AETHER_VERIFY_REMOTE_DIGEST,
    verifyRemoteHash: values.AETHER_VERIFY_REMOTE_HASH,
    remoteHashMaxBytes: values.AETHER_REMOTE_HASH_MAX_BYTES,
    maxArtifactSizeBytes: values.AETHER_MAX_ARTIFACT_SIZE_BYTES,
    maxArtifactsPerApp: values.AETHER_MAX_ARTIFACTS_PER_APP,
    maxTotalBytesPerApp: values.AETHER_MAX_TOTAL_BYTES_PER_APP,
    retainLatestPerApp: values.AETHER_RETAIN_LATEST_PER_APP,
    retainMaxAgeSecs: values.AETHER_RETAIN_MAX_AGE_SECS,
    pendingTtlSecs: values.AETHER_PENDING_TTL_SECS,
    pendingGcIntervalSecs: values.AETHER_PENDING_GC_INTERVAL_SECS,
    deploymentFailedTtlSecs: values.AETHER_DEPLOYMENT_FAILED_TTL_SECS,
    multipartThresholdBytes: values.AETHER_MULTIPART_THRESHOLD_BYTES,
    multipartPartSizeBytes: values.AETHER_MULTIPART_PART_SIZE_BYTES,
    maxConcurrentUploads: values.AETHER_MAX_CONCURRENT_UPLOADS,
    directUpload: values.AETHER_DIRECT_UPLOAD,
    requirePresign: values.AETHER_REQUIRE_PRESIGN,
    requireSignature: values.AETHER_REQUIRE_SIGNATURE,
    // Who may reach a server without a token, reaches what is beside it as well.
    webhookAllowPrivate: values.AETHER_WEBHOOK_ALLOW_PRIVATE ?? (loopback && !authRequired),
    kubernetes: kubernetesConfig(values, env),
    startTimeoutMs: values.AETHER_START_TIMEOUT_SECS * 1000,
    graceMs: values.AETHER_SUPERVISOR_GRACE_SEC * 1000,
    logLevel: values.AETHER_LOG_LEVEL,
    logFormat: values.AETHER_LOG_FORMAT,
  };
}

function rateLimitOf(text: string): RateLimit | undefined {
  if (text === "off") return undefined;
  const [requests = 0, seconds = 0] = text.split("/").map(Number);
  return { requests, seconds };
}

function unknownVariables(env: Record<string, unknown>): string[] {
  const known = [...Object.keys(serverVariables), ...commandLineVariables, ...testBuildVariables];
  const unknown = Object.keys(env).filter((name) => name.startsWith("AETHER_") && !known.includes(name));
  // What all of them begin with makes none of them near.
  const bare = (name: string): string => name.replace(/^AETHER_/, "");
  return unknown.map((name) => {
    const meant = nearest(bare(name), known.map(bare));
    const found = known.find((candidate) => bare(candidate) === meant);
    return `${name}: there is no such variable.${found === undefined ? "" : ` Did you mean "${found}"?`}`;
  });
}

function invalid(problems: string[]): AetherError {
  return new AetherError(
    "config_invalid",
    `The server's environment has mistakes:\n${problems.map((line) => `  ${line}`).join("\n")}`,
    {
      hint: "Correct them and start again; aether serve --help names the documentation.",
    },
  );
}

/** Whether only this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The names under which this machine knows itself; a browser's request must carry one of them. */
export function ownNames(config: Pick<ServerConfig, "host">): string[] {
  const everywhere = config.host === "0.0.0.0" || config.host === "::";
  const interfaces = everywhere ? Object.values(networkInterfaces()).flatMap((list) => list ?? []) : [];
  const addresses = interfaces.map(({ address, family }) => (family === "IPv6" ? `[${address}]` : address));
  return [...new Set(["127.0.0.1", "localhost", "[::1]", config.host, hostname(), ...addresses])];
}
