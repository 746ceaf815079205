/** Keys that requests are signed with; a session token belongs to those that expire. */
export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** A role that the token in a file may assume; Kubernetes renews the file, the storage the keys. */
export interface S3WebIdentity {
  roleArn: string;
  webIdentityTokenFile: string;
  /** The security token service that gives the keys. */
  stsUrl: string;
}

export interface S3Encryption {
  algorithm: "AES256" | "aws:kms";
  /** For aws:kms; without one the bucket's own key is used. */
  keyId?: string | undefined;
}

export interface S3StorageOptions {
  bucket: string;
  /** Where this server and pods reach the store; no trailing slash. */
  baseUrl: string;
  /** Where laptops reach it. */
  publicBaseUrl: string;
  region: string;
  credentials: S3Keys | S3WebIdentity;
  encryption?: S3Encryption | undefined;
  now: () => Date;
  /** Breaks off every request, and its tries: the server has stopped. */
  signal?: AbortSignal | undefined;
  /** A transfer without a byte for so long is broken off and tried again. */
  stallMs?: number;
  /** How many entries one answer lists; without, as many as the store likes. */
  pageSize?: number;
  /** The first pause between tries, which doubles; for tests. */
  retryDelayMs?: number;
}
