import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failureOf } from "../harness/failure-of.ts";
import { type Fault, faultyStore, refuses } from "../harness/faulty-store.ts";
import { identityProvider } from "../harness/identity-provider.ts";
import { createBucket, s3Tier, startMinio } from "../harness/object-store.ts";
import { sample } from "../harness/storage-server.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

setDefaultTimeout(60_000);

const hello = sample("hello, storage");
/** MinIO's own name for "the policy that the token claims". */
const roleArn = "arn:minio:iam:::role/dummy-internal";

// A MinIO that trusts our identity provider, and answers as security token service as well.
describe.skipIf(!s3Tier().available || !Bun.which("minio"))("credentials of a web identity", () => {
  let provider: Awaited<ReturnType<typeof identityProvider>>;
  let minio: Awaited<ReturnType<typeof startMinio>>;
  beforeAll(async () => {
    provider = await identityProvider();
    minio = await startMinio({
      MINIO_IDENTITY_OPENID_CONFIG_URL: provider.configUrl,
      MINIO_IDENTITY_OPENID_CLIENT_ID: provider.clientId,
      MINIO_IDENTITY_OPENID_CLIENT_SECRET: "not used by this grant",
      MINIO_IDENTITY_OPENID_CLAIM_NAME: "policy",
    });
  });
  afterAll(async () => {
    minio.stop();
    await provider[Symbol.asyncDispose]();
  });

  /** Storage whose keys come from a token file, by a service that can be made to fail. */
  async function setUp() {
    const folder = await temporaryFolder();
    const webIdentityTokenFile = join(folder.path, "token");
    const write = async (policy: string) => writeFile(webIdentityTokenFile, `${await provider.token(policy)}\n`);
    await write("readwrite");
    const sts = await faultyStore(minio.url);
    const bucket = await createBucket({}, Promise.resolve(minio));
    const storage = bucket.open({ credentials: { roleArn, webIdentityTokenFile, stsUrl: sts.url } });
    return {
      storage,
      sts,
      write,
      webIdentityTokenFile,
      /** Signatures must stay of this time, so only the way there is tried with another. */
      later: (ms: number) => {
        bucket.clock.now = new Date(Date.now() + ms);
      },
      async [Symbol.asyncDispose]() {
        await sts[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  }

  test("a token is exchanged once for keys, which sign requests and URLs", async () => {
    await using store = await setUp();
    await Promise.all([store.storage.check(), store.storage.head(hello.key), store.storage.check()]);
    const { url, headers } = await store.storage.presignPut({ ...hello, expiresSeconds: 60 });
    expect(new URL(url).searchParams.get("X-Amz-Security-Token")).not.toBeNull();
    expect((await fetch(url, { method: "PUT", headers, body: hello.data })).status).toBe(200);
    expect(await new Response(await store.storage.read(hello.key)).text()).toBe("hello, storage");
    expect(store.sts.requests).toHaveLength(1);
  });

  test("they are renewed before they expire, with the token that the file holds by then", async () => {
    await using store = await setUp();
    await store.storage.check();
    store.later(54 * 60_000); // of an hour
    await store.storage.presignGet(hello.key, { expiresSeconds: 30, audience: "client" });
    expect(store.sts.requests).toHaveLength(1);
    await store.write("readonly");
    await store.storage.presignGet(hello.key, { expiresSeconds: 900, audience: "client" }); // longer than they live
    expect(store.sts.requests).toHaveLength(2);
    store.later(0);
    expect(await failureOf(store.storage.abandon(hello.key))).toMatchObject({
      message: expect.stringContaining("does not let these credentials"),
    });
  });

  test("a service that fails is no trouble while the keys are valid, and named when they are not", async () => {
    await using store = await setUp();
    await store.storage.check();
    const refusal: Fault = refuses(403, "AccessDenied");
    store.later(58 * 60_000);
    store.sts.meet(refusal);
    for (const _ of [1, 2]) await store.storage.presignGet(hello.key, { expiresSeconds: 900, audience: "client" });
    expect(store.sts.requests).toHaveLength(2);
    store.later(61 * 60_000);
    store.sts.meet(refusal);
    const failure = await failureOf(store.storage.check());
    expect(failure.message).toStartWith("The web identity gave no credentials for the artifact storage");
    expect(failure.message).toContain("403 AccessDenied Said by the test");
  });

  test("a token that the store does not trust, or that is not there, is named, and never shown", async () => {
    await using store = await setUp();
    const other = await identityProvider();
    const token = await other.token("readwrite");
    await other[Symbol.asyncDispose]();
    await writeFile(store.webIdentityTokenFile, token);
    const failure = await failureOf(store.storage.check());
    expect(failure).toMatchObject({ code: "service_unavailable", hint: expect.stringContaining("AWS_ROLE_ARN") });
    expect(failure.message).not.toContain(token);
    await rm(store.webIdentityTokenFile);
    expect((await failureOf(store.storage.check())).message).toContain("cannot be read");
  });

  test("keys of a session that were given by hand sign as well", async () => {
    const form = new URLSearchParams({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      WebIdentityToken: await provider.token("readwrite"),
    });
    const text = await (await fetch(minio.url, { method: "POST", body: form })).text();
    const value = (name: string) => new RegExp(`<${name}>(.*)</${name}>`).exec(text)?.[1] ?? "";
    const session = { accessKeyId: value("AccessKeyId"), secretAccessKey: value("SecretAccessKey") };
    const bucket = await createBucket({}, Promise.resolve(minio));
    const storage = bucket.open({ credentials: { ...session, sessionToken: value("SessionToken") } });
    await storage.check();
    const expired = bucket.open({ credentials: { ...session, sessionToken: "not the token" } });
    expect(await failureOf(expired.check())).toMatchObject({ code: "service_unavailable" });
  });
});
