import { describe, expect, test } from "bun:test";
import type { S3Storage } from "../../src/storage/s3/s3.ts";
import type { S3StorageOptions } from "../../src/storage/s3/s3-options.ts";
import { failureOf } from "../harness/failure-of.ts";
import { faultyStore, refuses } from "../harness/faulty-store.ts";
import { createBucket, objectStore, s3Tier } from "../harness/object-store.ts";
import { sample } from "../harness/storage-server.ts";

const hello = sample("hello");

/** Everything that asks the store; each must tell the same reason. */
const asks: [string, (storage: S3Storage) => Promise<unknown>][] = [
  ["check", (storage) => storage.check()],
  ["head", (storage) => storage.head(hello.key)],
  ["read", (storage) => storage.read(hello.key)],
  ["remove", (storage) => storage.remove(hello.key)],
  ["list", (storage) => Array.fromAsync(storage.list(""))],
  ["startMultipart", (storage) => storage.startMultipart(hello.key)],
  ["probe", (storage) => storage.probe()],
];

describe.skipIf(!s3Tier().available)("what is wrong with a store is told by name", () => {
  async function wrong(options: (keys: { accessKeyId: string; secretAccessKey: string }) => Partial<S3StorageOptions>) {
    const bucket = await createBucket();
    const { accessKeyId, secretAccessKey, url } = await objectStore();
    return { storage: bucket.open(options({ accessKeyId, secretAccessKey })), url, secretAccessKey };
  }

  test.each(asks)("a bucket that is not there, by %s", async (_, ask) => {
    const { storage, url } = await wrong(() => ({ bucket: "no-such-bucket" }));
    expect(await failureOf(ask(storage))).toMatchObject({
      code: "service_unavailable",
      message: `There is no bucket no-such-bucket at ${url}.`,
      hint: "Create it, or correct AETHER_S3_BUCKET.",
    });
  });

  test.each(asks)("an access key that is unknown, by %s", async (_, ask) => {
    const { storage } = await wrong((keys) => ({ credentials: { ...keys, accessKeyId: "nobody" } }));
    const failure = await failureOf(ask(storage));
    expect(failure).toMatchObject({
      code: "service_unavailable",
      hint: expect.stringContaining("AETHER_S3_ACCESS_KEY"),
    });
    expect(failure.message).toContain("does not know the access key");
  });

  test.each(asks)("a secret key that is wrong, by %s", async (_, ask) => {
    const { storage, secretAccessKey } = await wrong((keys) => ({
      credentials: { ...keys, secretAccessKey: "not-the-secret-key" },
    }));
    const failure = await failureOf(ask(storage));
    expect(failure).toMatchObject({
      code: "service_unavailable",
      hint: expect.stringContaining("AETHER_S3_SECRET_KEY"),
    });
    for (const secret of [secretAccessKey, "not-the-secret-key", "X-Amz-Signature"])
      expect(JSON.stringify(failure) + failure.stack).not.toContain(secret);
  });

  test.each(asks)("clocks that differ, by %s (F12)", async (_, ask) => {
    const { storage } = await wrong(() => ({ now: () => new Date(Date.now() - 20 * 60_000) }));
    const failure = await failureOf(ask(storage));
    expect(failure.message).toContain("differ by more than 15 minutes");
    expect(failure.hint).toMatch(/NTP.*the storage says that it is .*GMT/);
  });

  test("a host that is not there (F15)", async () => {
    const { storage } = await wrong(() => ({ baseUrl: "http://no-such-host.invalid:9000" }));
    expect(await failureOf(storage.check())).toMatchObject({
      code: "service_unavailable",
      message: "The artifact storage at http://no-such-host.invalid:9000 cannot be reached: there is no such host.",
      hint: expect.stringContaining("AETHER_S3_BASE_URL"),
    });
  });

  test("a port where nothing listens", async () => {
    const { storage } = await wrong(() => ({ baseUrl: "http://127.0.0.1:1" }));
    const { message } = await failureOf(storage.check());
    expect(message).toBe("The artifact storage at http://127.0.0.1:1 cannot be reached: nothing listens there.");
  });

  test("an address that is no S3 at all", async () => {
    using site = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<html>hello</html>") });
    const { storage } = await wrong(() => ({ baseUrl: `http://127.0.0.1:${site.port}` }));
    expect(await failureOf(storage.check())).toMatchObject({
      message: expect.stringContaining("cannot be understood"),
      hint: expect.stringContaining("AETHER_S3_BASE_URL"),
    });
  });

  test.each([
    [403, "AccessDenied", {}, "/docs/storage"],
    [403, "ExpiredToken", {}, "fresh credentials"],
    [301, "PermanentRedirect", { "x-amz-bucket-region": "eu-west-1" }, "AETHER_S3_REGION=eu-west-1"],
    [400, "AuthorizationHeaderMalformed", {}, "AETHER_S3_REGION"],
  ] as const)("%d %s says what to do", async (status, code, headers, hint) => {
    const bucket = await createBucket();
    await using faulty = await faultyStore(bucket.server.url);
    faulty.meet(refuses(status, code, headers));
    const failure = await failureOf(bucket.open({ baseUrl: faulty.url }).check());
    expect(failure).toMatchObject({ code: "service_unavailable", hint: expect.stringContaining(hint) });
  });
});
