import { expect, test } from "bun:test";
import { parseServerConfig } from "../../src/config/server.ts";

const keys = { AETHER_S3_ACCESS_KEY: "key", AETHER_S3_SECRET_KEY: "secret" };
const identity = { AWS_ROLE_ARN: "arn:aws:iam::1:role/aether", AWS_WEB_IDENTITY_TOKEN_FILE: "/run/token" };
const bucket = { AETHER_S3_BUCKET: "artifacts" };
const parse = (env: Record<string, string>) => parseServerConfig({ HOME: "/home/x", ...env }).objectStore;

test("artifacts lie in files unless a bucket is named", () => {
  expect(parse({})).toBeUndefined();
  expect(parse({ ...bucket, ...keys, AETHER_STORAGE_MODE: "filesystem" })).toBeUndefined();
  expect(parse({ ...bucket, ...keys })).toEqual({
    bucket: "artifacts",
    baseUrl: "https://s3.us-east-1.amazonaws.com",
    publicBaseUrl: "https://s3.us-east-1.amazonaws.com",
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    encryption: undefined,
  });
});

test("laptops may reach the store by another address", () => {
  const urls = { AETHER_S3_BASE_URL: "http://minio:9000/", AETHER_S3_PUBLIC_BASE_URL: "https://s3.example.com" };
  expect(parse({ ...bucket, ...keys, ...urls })).toMatchObject({
    baseUrl: "http://minio:9000",
    publicBaseUrl: "https://s3.example.com",
  });
});

test("the server's own keys come before those of the environment, and these before a web identity", () => {
  const aws = { AWS_ACCESS_KEY_ID: "aws", AWS_SECRET_ACCESS_KEY: "aws-secret", AWS_SESSION_TOKEN: "session" };
  expect(parse({ ...bucket, ...identity, ...aws, ...keys })?.credentials).toMatchObject({ accessKeyId: "key" });
  expect(parse({ ...bucket, ...identity, ...aws })?.credentials).toEqual({
    accessKeyId: "aws",
    secretAccessKey: "aws-secret",
    sessionToken: "session",
  });
  expect(parse({ ...bucket, ...identity, AETHER_S3_REGION: "eu-west-1" })?.credentials).toEqual({
    roleArn: "arn:aws:iam::1:role/aether",
    webIdentityTokenFile: "/run/token",
    stsUrl: "https://sts.eu-west-1.amazonaws.com",
  });
  expect(parse({ ...bucket, ...identity, AWS_ENDPOINT_URL_STS: "http://sts" })?.credentials).toMatchObject({
    stsUrl: "http://sts",
  });
});

test.each([
  [{ AETHER_STORAGE_MODE: "s3", ...keys }, "needs a bucket"],
  [bucket, "no credentials"],
  [{ ...bucket, AETHER_S3_ACCESS_KEY: "key" }, "belong together"],
  [{ ...bucket, ...keys, AETHER_S3_SSE_KMS_KEY: "id" }, "only used with"],
  [{ ...bucket, ...keys, AETHER_S3_SSE: "rot13" }, "AETHER_S3_SSE"],
])("%p is refused by name", (env, message) => {
  expect(() => parse(env as Record<string, string>)).toThrow(message);
});
