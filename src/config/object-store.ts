import { AetherError } from "../lib/errors.ts";

/** Requests are signed with these; web identity's are fetched and renewed by the storage. */
export type ObjectStoreCredentials =
  | { accessKeyId: string; secretAccessKey: string; sessionToken?: string | undefined }
  | { roleArn: string; webIdentityTokenFile: string; stsUrl: string };

/** An S3 bucket, or one of the stores that speak its language. */
export interface ObjectStoreConfig {
  bucket: string;
  /** Without a trailing slash; keys follow as `/<bucket>/<key>` (path style). */
  baseUrl: string;
  /** The same store as laptops reach it: a host is part of what is signed. */
  publicBaseUrl: string;
  region: string;
  credentials: ObjectStoreCredentials;
  encryption: { algorithm: "AES256" | "aws:kms"; keyId?: string | undefined } | undefined;
}

interface Values {
  AETHER_STORAGE_MODE?: "filesystem" | "s3" | undefined;
  AETHER_S3_BUCKET?: string | undefined;
  AETHER_S3_BASE_URL?: string | undefined;
  AETHER_S3_PUBLIC_BASE_URL?: string | undefined;
  AETHER_S3_REGION: string;
  AETHER_S3_ACCESS_KEY?: string | undefined;
  AETHER_S3_SECRET_KEY?: string | undefined;
  AETHER_S3_SSE?: "AES256" | "aws:kms" | undefined;
  AETHER_S3_SSE_KMS_KEY?: string | undefined;
}

/** The bucket that the variables name, `undefined` for the filesystem. */
export function objectStoreConfig(
  values: Values,
  env: Record<string, string | undefined>,
): ObjectStoreConfig | undefined {
  const bucket = values.AETHER_S3_BUCKET;
  const mode = values.AETHER_STORAGE_MODE ?? (bucket === undefined ? "filesystem" : "s3");
  if (mode === "filesystem") return undefined;
  if (bucket === undefined) throw invalid("AETHER_STORAGE_MODE=s3 needs a bucket.", "Set AETHER_S3_BUCKET.");
  if (values.AETHER_S3_SSE_KMS_KEY !== undefined && values.AETHER_S3_SSE !== "aws:kms") {
    throw invalid("AETHER_S3_SSE_KMS_KEY is only used with AETHER_S3_SSE=aws:kms.", "Set both, or neither.");
  }
  const region = values.AETHER_S3_REGION;
  const baseUrl = values.AETHER_S3_BASE_URL ?? `https://s3.${region}.amazonaws.com`;
  return {
    bucket,
    baseUrl,
    publicBaseUrl: values.AETHER_S3_PUBLIC_BASE_URL ?? baseUrl,
    region,
    credentials: credentialsOf(values, env),
    encryption: values.AETHER_S3_SSE && { algorithm: values.AETHER_S3_SSE, keyId: values.AETHER_S3_SSE_KMS_KEY },
  };
}

function credentialsOf(values: Values, env: Record<string, string | undefined>): ObjectStoreCredentials {
  const own = [values.AETHER_S3_ACCESS_KEY, values.AETHER_S3_SECRET_KEY] as const;
  if (own[0] !== undefined && own[1] !== undefined) return { accessKeyId: own[0], secretAccessKey: own[1] };
  if (own[0] !== undefined || own[1] !== undefined) {
    throw invalid("AETHER_S3_ACCESS_KEY and AETHER_S3_SECRET_KEY belong together.", "Set both, or neither.");
  }
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  const { AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ENDPOINT_URL_STS } = env;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    };
  }
  if (AWS_ROLE_ARN && AWS_WEB_IDENTITY_TOKEN_FILE) {
    const stsUrl = AWS_ENDPOINT_URL_STS || `https://sts.${values.AETHER_S3_REGION}.amazonaws.com`;
    return { roleArn: AWS_ROLE_ARN, webIdentityTokenFile: AWS_WEB_IDENTITY_TOKEN_FILE, stsUrl };
  }
  throw invalid(
    "There are no credentials for the S3 bucket.",
    "Set AETHER_S3_ACCESS_KEY and AETHER_S3_SECRET_KEY, or the AWS_* variables, or a web identity.",
  );
}

const invalid = (message: string, hint: string): AetherError => new AetherError("config_invalid", message, { hint });
