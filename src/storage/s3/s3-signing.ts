import { AwsV4Signer } from "aws4fetch";
import { isObjectKey } from "../object-key.ts";
import type { Audience, SignedRequest } from "../storage.ts";
import { createCredentials } from "./s3-credentials.ts";
import type { S3StorageOptions } from "./s3-options.ts";

/** What a request to the bucket is about. */
export interface S3Target {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Without one the request is about the bucket. */
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string;
}

export type S3Signing = ReturnType<typeof createS3Signing>;

/** Signatures of version 4: in the headers of requests that are sent at once, in the URL of those for someone else. */
export function createS3Signing(options: S3StorageOptions) {
  const { bucket, baseUrl, publicBaseUrl, region, now } = options;
  const credentials = createCredentials(options);
  const cache = new Map<string, ArrayBuffer>(); // of derived keys

  async function signer(base: string, target: S3Target, presignSeconds?: number): Promise<AwsV4Signer> {
    const { sessionToken, ...keys } = await credentials.get(presignSeconds ?? 0);
    if (cache.size > 8) cache.clear(); // each day and each session adds one
    const url = new URL(`${base}/${bucket}${target.key === undefined ? "" : `/${checked(target.key)}`}`);
    for (const [name, value] of Object.entries(target.query ?? {})) url.searchParams.set(name, value);
    if (presignSeconds !== undefined) url.searchParams.set("X-Amz-Expires", String(presignSeconds)); // else it is a day
    return new AwsV4Signer({
      ...keys,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      method: target.method,
      url: url.href,
      headers: target.headers ?? {},
      ...(target.body === undefined ? {} : { body: target.body }),
      service: "s3",
      region,
      cache,
      datetime: now()
        .toISOString()
        .replace(/[:-]|\.\d{3}/g, ""),
      ...(presignSeconds === undefined ? {} : { signQuery: true, allHeaders: true }),
    });
  }

  return {
    /** URL and headers of a request that this server sends now. */
    async sign(target: S3Target): Promise<{ url: URL; headers: Headers }> {
      return (await signer(baseUrl, target)).sign();
    },

    /** A request for someone else: every header is part of the signature. */
    async presign(
      target: S3Target & { method: SignedRequest["method"] },
      { expiresSeconds, audience }: { expiresSeconds: number; audience: Audience },
    ): Promise<SignedRequest> {
      const base = audience === "client" ? publicBaseUrl : baseUrl;
      const { url } = await (await signer(base, target, expiresSeconds)).sign();
      return { url: url.href, method: target.method, headers: target.headers ?? {} };
    },
  };
}

function checked(key: string): string {
  if (isObjectKey(key)) return key;
  throw new Error(`Not a storage key: ${JSON.stringify(key)}`);
}
