import { z } from "zod";
import { parseServerUrl } from "./cli.ts";
import { nodeSelector, tolerations } from "./kubernetes.ts";

const flag = z.enum(["0", "1"], { error: "must be 0 or 1" }).transform((value) => value === "1");
const wholeNumber = z.coerce.number({ error: "must be a whole number" }).int({ error: "must be a whole number" });
const count = wholeNumber.nonnegative({ error: "must not be negative" });
const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);
const origins = list.refine((items) => items.every(isOrigin), {
  error: "must be origins such as https://console.example.com, without a path; * is not one",
});
const port = wholeNumber.refine((value) => value >= 0 && value <= 65_535, "must be a port, from 0 to 65535");
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
  AETHER_APP_DOMAIN: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "must be a domain such as apps.example.com")
    .optional()
    .describe("On Kubernetes: applications answer at `<app>.<this domain>`, by an Ingress; default: none is made"),
  AETHER_CORS_ALLOWED_ORIGINS: origins
    .optional()
    .describe("Origins whose web pages may use the API, separated by commas"),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must start with postgres://")
    .optional()
    .describe("A Postgres, also behind PgBouncer 1.21 or newer; default: an embedded one in the data folder"),
  AETHER_API_TOKENS: z.string().optional().describe("Accepted tokens: token:role[:name], separated by commas"),
  AETHER_AUTH_REQUIRED: flag
    .optional()
    .describe("1 demands a token; default: 1 when tokens are set or beyond loopback"),
  AETHER_RATE_LIMIT: z
    .string()
    .regex(/^[1-9]\d*\/[1-9]\d*$|^off$/, "must be requests/seconds such as 600/60, or off")
    .optional()
    .describe("Writes that a token, and an app, may make: requests/seconds; default: 600/60, off on loopback"),
  AETHER_SECRETS_KEY: z.string().optional().describe("32 bytes in hex or base64; made in the data folder when absent"),
  AETHER_SECRETS_KEY_FILE: z.string().optional().describe("A file that holds it instead"),
  AETHER_SECRETS_KEY_PREVIOUS: z.string().optional().describe("The key before, while what it sealed is still read"),
  AETHER_STORAGE_MODE: z
    .enum(["filesystem", "s3"])
    .optional()
    .describe("Where artifacts lie; default: s3 when AETHER_S3_BUCKET is set, else filesystem"),
  AETHER_S3_BUCKET: z.string().optional().describe("The bucket, which must exist"),
  AETHER_S3_BASE_URL: address.optional().describe("The S3 endpoint; default: AWS, by region"),
  AETHER_S3_PUBLIC_BASE_URL: address
    .optional()
    .describe("The endpoint as laptops reach it, which URLs are signed for; default: the one above"),
  AETHER_S3_REGION: z.string().default("us-east-1").describe("The region that requests are signed for"),
  AETHER_S3_ACCESS_KEY: z.string().optional().describe("Default: the AWS_* credentials of the environment"),
  AETHER_S3_SECRET_KEY: z.string().optional().describe("The secret that belongs to it"),
  AETHER_S3_SSE: z.enum(["AES256", "aws:kms"]).optional().describe("Encryption at rest that each upload asks for"),
  AETHER_S3_SSE_KMS_KEY: z.string().optional().describe("The key's id for aws:kms; default: the bucket's own"),
  AETHER_PRESIGN_EXPIRE_SECONDS: count.min(1).max(604_800).default(900).describe("How long a signed URL is valid"),
  AETHER_VERIFY_REMOTE_SIZE: flag.default(true).describe("Compare the stored object's size at completion"),
  AETHER_VERIFY_REMOTE_DIGEST: flag.default(true).describe("Compare the checksum that the store reports at completion"),
  AETHER_VERIFY_REMOTE_HASH: flag.default(true).describe("Hash the stored object again at completion"),
  AETHER_REMOTE_HASH_MAX_BYTES: count.default(512 * 1024 ** 2).describe("Larger objects are not hashed again"),
  AETHER_MAX_ARTIFACT_SIZE_BYTES: count
    .min(1)
    .max(5 * 1024 ** 3) // what S3 takes in one PUT, and an agent fetches
    .default(2 * 1024 ** 3)
    .describe("Larger artifacts are refused; at most 5368709120, 5 GiB"),
  AETHER_MAX_ARTIFACTS_PER_APP: count.optional().describe("Stored and pending artifacts an app may have; default: any"),
  AETHER_MAX_TOTAL_BYTES_PER_APP: count
    .optional()
    .describe("Bytes that its stored and announced artifacts may have; default: any"),
  AETHER_RETAIN_LATEST_PER_APP: count
    .min(1)
    .default(10)
    .describe("Stored artifacts that are kept for each app, the newest; what runs or can be rolled back to always is"),
  AETHER_RETAIN_MAX_AGE_SECS: count
    .min(1)
    .max(3_000_000_000)
    .optional()
    .describe("Older ones are removed as well, at most 3000000000; default: any age"),
  AETHER_PENDING_TTL_SECS: count.min(1).default(86_400).describe("An upload that is not completed by then is removed"),
  AETHER_PENDING_GC_INTERVAL_SECS: count
    .min(1)
    .default(300)
    .describe("How often such uploads, and what retention removes, are looked for"),
  AETHER_DEPLOYMENT_FAILED_TTL_SECS: count
    .min(1)
    .optional()
    .describe("Failed deployments are removed after this; default: never"),
  AETHER_MULTIPART_THRESHOLD_BYTES: count.default(64 * 1024 ** 2).describe("Larger artifacts are sent in parts"),
  AETHER_MULTIPART_PART_SIZE_BYTES: count
    .min(5 * 1024 ** 2)
    .default(16 * 1024 ** 2)
    .describe("The size of such a part"),
  AETHER_MAX_CONCURRENT_UPLOADS: count
    .min(1)
    .default(32)
    .describe("Uploads whose bytes pass through this server at once; more are asked to come back"),
  AETHER_DIRECT_UPLOAD: flag
    .default(false)
    .describe("Lets the command line send bytes through this server when S3 is down"),
  AETHER_REQUIRE_PRESIGN: flag.default(false).describe("Completing a digest that was never presigned is refused"),
  AETHER_REQUIRE_SIGNATURE: flag
    .default(false)
    .describe("Only artifacts signed by one of the app's public keys are deployed and downloaded"),
  AETHER_WEBHOOK_ALLOW_PRIVATE: flag
    .optional()
    .describe(
      "1 lets webhooks be sent to private addresses and this machine; default: 1 on loopback when no token is demanded. Link-local and metadata addresses are always refused",
    ),
  AETHER_START_TIMEOUT_SECS: count.min(1).default(60).describe("A release that does not answer by then has failed"),
  AETHER_SUPERVISOR_GRACE_SEC: count.default(10).describe("From SIGTERM to SIGKILL when an application is stopped"),
  AETHER_FETCH_INTERVAL_SEC: count
    .min(1)
    .default(30)
    .describe("On Kubernetes: how often a dev-hot pod looks at its digest, beside being told of it"),
  AETHER_FETCH_MAX_RETRIES: count
    .default(10)
    .describe("How often a dev-hot pod tries the download of a digest before it leaves it alone"),
  AETHER_RUNTIME: z
    .enum(["local", "kubernetes"])
    .default("local")
    .describe("Where applications run: as processes of this machine, or on the cluster of KUBECONFIG or around us"),
  AETHER_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a namespace's name")
    .default("aether-apps")
    .describe("On Kubernetes: where applications run; it must exist"),
  AETHER_CA_FILE: z
    .string()
    .optional()
    .describe(
      "On Kubernetes: a PEM file of authorities that pods trust, besides the public ones, when they fetch from this server and its storage",
    ),
  AETHER_KUBE_CONTEXT: z.string().optional().describe("The kubeconfig's context; default: its current one"),
  AETHER_RUNTIME_IMAGE: z
    .string()
    .default("aether-nodejs:{major}-slim")
    .describe("The image applications run in, any with Node 18 or newer; {major} is the Node version they ask for"),
  AETHER_INGRESS_CLASS: z.string().optional().describe("The class of that Ingress; default: the cluster's own"),
  AETHER_SERVICE_TYPE: z
    .enum(["ClusterIP", "NodePort", "LoadBalancer"])
    .default("ClusterIP")
    .describe("How the cluster exposes each application's Service"),
  AETHER_NODE_SELECTOR: nodeSelector.optional().describe("Labels of the nodes applications run on: pool=apps,disk=ssd"),
  AETHER_TOLERATIONS: tolerations
    .optional()
    .describe("Taints of nodes that they may run on all the same: pool=apps:NoSchedule"),
  AETHER_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info").describe("What the server logs"),
  AETHER_LOG_FORMAT: z.enum(["text", "json"]).optional().describe("Default: text on a terminal, json elsewhere"),
} as const;

/** Read by the command line, not by the server. */
export const commandLineVariables = ["AETHER_API_BASE", "AETHER_TOKEN", "AETHER_APP", "AETHER_SIGNING_KEY"];

/** A browser names its page's origin in exactly this form, so nothing else would ever match. */
function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
