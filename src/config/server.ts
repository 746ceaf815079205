import { hostname, networkInterfaces } from "node:os";
import { z } from "zod";
import { AetherError } from "../lib/errors.ts";
import { didYouMean } from "../lib/nearest.ts";
import { parseServerUrl } from "./cli.ts";
import { readPaths } from "./paths.ts";
import { type ApiToken, parseApiTokens } from "./tokens.ts";

const flag = z.enum(["0", "1"]).transform((value) => value === "1");
const count = z.coerce.number().int().nonnegative();
const port = z.coerce.number().int().min(0).max(65535);
const address = z.string().transform((value, context) => {
  try {
    return parseServerUrl(value, "it");
  } catch {
    context.addIssue({ code: "custom", message: "must be a URL such as https://aether.example.com" });
    return z.NEVER;
  }
});

/** Every variable of the server, with what it means; `docs/configuration.md` is printed from it. */
export const serverVariables = {
  AETHER_HOST: z.string().default("127.0.0.1").describe("The address the API and the gateway listen on"),
  AETHER_PORT: port.default(8080).describe("The API's port; 0 takes a free one"),
  AETHER_GATEWAY_PORT: port
    .default(8081)
    .describe("The port applications are reached at, by host name; 0 takes a free one"),
  AETHER_DATA_DIR: z.string().optional().describe("Database, artifacts, releases and logs; default: under XDG state"),
  AETHER_PUBLIC_URL: address.optional().describe("The API as people and laptops reach it; default: its host and port"),
  AETHER_INTERNAL_URL: address.optional().describe("The API as applications' agents reach it; default: the public one"),
  AETHER_APP_DOMAIN: z.string().default("localhost").describe("Applications answer at `<app>.<this domain>`"),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must start with postgres://")
    .optional()
    .describe("A Postgres; default: an embedded one in the data folder"),
  AETHER_API_TOKENS: z.string().optional().describe("Accepted tokens: token:role[:name], separated by commas"),
  AETHER_AUTH_REQUIRED: flag
    .optional()
    .describe("1 demands a token; default: 1 when tokens are set or beyond loopback"),
  AETHER_SECRETS_KEY: z.string().optional().describe("32 bytes in hex or base64; made in the data folder when absent"),
  AETHER_PRESIGN_EXPIRE_SECONDS: count.min(1).max(604_800).default(900).describe("How long a signed URL is valid"),
  AETHER_VERIFY_REMOTE_SIZE: flag.default(true).describe("Compare the stored object's size at completion"),
  AETHER_VERIFY_REMOTE_HASH: flag.default(true).describe("Hash the stored object again at completion"),
  AETHER_REMOTE_HASH_MAX_BYTES: count.default(512 * 1024 ** 2).describe("Larger objects are not hashed again"),
  AETHER_MAX_ARTIFACT_SIZE_BYTES: count
    .min(1)
    .default(2 * 1024 ** 3)
    .describe("Larger artifacts are refused"),
  AETHER_PENDING_TTL_SECS: count.min(1).default(86_400).describe("An upload that is not completed by then is removed"),
  AETHER_PENDING_GC_INTERVAL_SECS: count.min(1).default(300).describe("How often such uploads are looked for"),
  AETHER_MULTIPART_THRESHOLD_BYTES: count.default(64 * 1024 ** 2).describe("Larger artifacts are sent in parts"),
  AETHER_MULTIPART_PART_SIZE_BYTES: count
    .min(5 * 1024 ** 2)
    .default(16 * 1024 ** 2)
    .describe("The size of such a part"),
  AETHER_START_TIMEOUT_SECS: count.min(1).default(60).describe("A release that does not answer by then has failed"),
  AETHER_SUPERVISOR_GRACE_SEC: count.default(10).describe("From SIGTERM to SIGKILL when an application is stopped"),
  AETHER_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info").describe("What the server logs"),
  AETHER_LOG_FORMAT: z.enum(["text", "json"]).optional().describe("Default: text on a terminal, json elsewhere"),
} as const;

const serverEnvironment = z.object(serverVariables);

/** Read by the command line, not by the server. */
const commandLineVariables = ["AETHER_API_BASE", "AETHER_TOKEN", "AETHER_APP"];

export interface ServerConfig {
  host: string;
  port: number;
  gatewayPort: number;
  dataFolder: string;
  publicUrl: string | undefined;
  internalUrl: string | undefined;
  appDomain: string;
  databaseUrl: string | undefined;
  tokens: ApiToken[];
  authRequired: boolean;
  secretsKey: string | undefined;
  presignExpireSeconds: number;
  verifyRemoteSize: boolean;
  verifyRemoteHash: boolean;
  remoteHashMaxBytes: number;
  maxArtifactSizeBytes: number;
  pendingTtlSecs: number;
  pendingGcIntervalSecs: number;
  multipartThresholdBytes: number;
  multipartPartSizeBytes: number;
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
    appDomain: values.AETHER_APP_DOMAIN,
    databaseUrl: values.DATABASE_URL,
    tokens,
    authRequired,
    secretsKey: values.AETHER_SECRETS_KEY,
    presignExpireSeconds: values.AETHER_PRESIGN_EXPIRE_SECONDS,
    verifyRemoteSize: values.AETHER_VERIFY_REMOTE_SIZE,
    verifyRemoteHash: values.AETHER_VERIFY_REMOTE_HASH,
    remoteHashMaxBytes: values.AETHER_REMOTE_HASH_MAX_BYTES,
    maxArtifactSizeBytes: values.AETHER_MAX_ARTIFACT_SIZE_BYTES,
    pendingTtlSecs: values.AETHER_PENDING_TTL_SECS,
    pendingGcIntervalSecs: values.AETHER_PENDING_GC_INTERVAL_SECS,
    multipartThresholdBytes: values.AETHER_MULTIPART_THRESHOLD_BYTES,
    multipartPartSizeBytes: values.AETHER_MULTIPART_PART_SIZE_BYTES,
    startTimeoutMs: values.AETHER_START_TIMEOUT_SECS * 1000,
    graceMs: values.AETHER_SUPERVISOR_GRACE_SEC * 1000,
    logLevel: values.AETHER_LOG_LEVEL,
    logFormat: values.AETHER_LOG_FORMAT,
  };
}

function unknownVariables(env: Record<string, unknown>): string[] {
  const known = [...Object.keys(serverVariables), ...commandLineVariables];
  const unknown = Object.keys(env).filter((name) => name.startsWith("AETHER_") && !known.includes(name));
  return unknown.map((name) => `${name}: there is no such variable. ${didYouMean(name, known) ?? ""}`.trim());
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
