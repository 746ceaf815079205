import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AwsV4Signer } from "aws4fetch";
import { createS3Storage } from "../../src/storage/s3/s3.ts";
import type { S3StorageOptions } from "../../src/storage/s3/s3-options.ts";
import { freePort } from "./free-port.ts";
import { type Tier, tier } from "./tier.ts";
import { waitFor } from "./wait-for.ts";

/** Whether a real S3 can be had: a given endpoint, or the `minio` program. */
export function s3Tier(): Tier {
  return tier("s3", () => {
    if (process.env.AETHER_TEST_S3_ENDPOINT || Bun.which("minio")) return undefined;
    return "no AETHER_TEST_S3_ENDPOINT, and no minio on the PATH";
  });
}

/** An S3 server and who may do everything there. */
export interface ObjectStore {
  url: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Whether the store is a MinIO that was started here, whose keys and particulars are known. */
export const isMinio = (): boolean => !process.env.AETHER_TEST_S3_ENDPOINT;

let shared: Promise<ObjectStore> | undefined;

/** One for each test process, started by the first test that asks, or the one that the environment names. */
export function objectStore(): Promise<ObjectStore> {
  const { AETHER_TEST_S3_ENDPOINT: url, AETHER_TEST_S3_ACCESS_KEY, AETHER_TEST_S3_SECRET_KEY } = process.env;
  shared ??= url
    ? Promise.resolve({
        url,
        accessKeyId: AETHER_TEST_S3_ACCESS_KEY ?? "",
        secretAccessKey: AETHER_TEST_S3_SECRET_KEY ?? "",
      })
    : startMinio();
  return shared;
}

/** A new empty bucket, and storage in it whose clock a test can move. */
export async function createBucket(options: Partial<S3StorageOptions> = {}, store = objectStore()) {
  const server = await store;
  const { url, accessKeyId, secretAccessKey } = server;
  const bucket = `aether-test-${randomUUID()}`;
  const created = await signed(server, "PUT", `/${bucket}`);
  if (!created.ok) throw new Error(`The bucket could not be made: ${await created.text()}`);
  const clock = { now: new Date() };
  const defaults: S3StorageOptions = {
    bucket,
    baseUrl: url,
    publicBaseUrl: url,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    now: () => clock.now,
    retryDelayMs: 1,
  };
  return {
    bucket,
    server,
    options: { ...defaults, ...options },
    clock,
    /** Storage in this bucket, with other options. */
    open: (more: Partial<S3StorageOptions> = {}) => createS3Storage({ ...defaults, ...options, ...more }),
    storage: createS3Storage({ ...defaults, ...options }),
    /** What a test does behind the storage's back. */
    request: (method: string, path: string, body?: string, headers?: Record<string, string>) =>
      signed(server, method, `/${bucket}${path}`, body, headers),
  };
}

export type Bucket = Awaited<ReturnType<typeof createBucket>>;

async function signed(
  { url, accessKeyId, secretAccessKey }: ObjectStore,
  method: string,
  path: string,
  ...[body, headers]: [body?: string, headers?: Record<string, string>]
): Promise<Response> {
  const signer = new AwsV4Signer({
    method,
    url: `${url}${path}`,
    accessKeyId,
    secretAccessKey,
    service: "s3",
    region: "us-east-1",
    ...(body === undefined ? {} : { body }),
    ...(headers === undefined ? {} : { headers }),
  });
  const request = await signer.sign();
  return fetch(request.url, { method, headers: request.headers, ...(body === undefined ? {} : { body }) });
}

/**
 * `bun test` runs no exit hooks: the shell around the server stops it, and deletes its folder, when the pipe from this
 * process closes, however this process ends.
 */
export async function startMinio(more: Record<string, string> = {}): Promise<ObjectStore & { stop: () => void }> {
  const folder = await mkdtemp(join(tmpdir(), "aether-minio-"));
  const address = `127.0.0.1:${freePort()}`;
  const store = {
    url: `http://${address}`,
    accessKeyId: "aether-test",
    secretAccessKey: randomUUID(),
  };
  const script = `
    trap '' INT TERM HUP
    minio server --quiet --address "$ADDRESS" "$FOLDER/data" >"$FOLDER/log" 2>&1 &
    server=$!
    cat >/dev/null
    kill -KILL $server; wait $server
    rm -rf "$FOLDER"`;
  const shell = spawn("/bin/sh", ["-c", script], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      FOLDER: folder,
      ADDRESS: address,
      MINIO_ROOT_USER: store.accessKeyId,
      MINIO_ROOT_PASSWORD: store.secretAccessKey,
      MINIO_BROWSER: "off",
      MINIO_KMS_SECRET_KEY: `aether:${Buffer.alloc(32, 7).toString("base64")}`,
      ...more,
    },
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  await waitFor("MinIO answers", () => answers(store, shell, folder), { withinMs: 30_000, everyMs: 50 });
  return { ...store, stop: () => shell.stdin?.end() };
}

async function answers(store: ObjectStore, shell: ChildProcess, folder: string): Promise<boolean> {
  if (shell.exitCode !== null) throw new Error(`MinIO did not start:\n${readFileSync(join(folder, "log"), "utf8")}`);
  const listed = await signed(store, "GET", "/").catch(() => undefined);
  return listed?.ok === true;
}
