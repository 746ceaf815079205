import { describe, expect, test } from "bun:test";
import { AwsV4Signer } from "aws4fetch";
import { documents } from "../../src/docs/index.ts";
import { failureOf } from "../harness/failure-of.ts";
import { type Bucket, createBucket, isMinio, s3Tier } from "../harness/object-store.ts";
import { sample } from "../harness/storage-server.ts";

const hello = sample("hello, storage");

/** The policy that the documentation asks operators to give the server, for this bucket. */
function documentedPolicy(bucket: string): { Statement: { Action: string[] }[] } {
  const block = (documents.storage ?? "").split("```json\n")[1]?.split("```")[0] ?? "";
  return JSON.parse(block.replaceAll("my-artifacts", bucket));
}

/** Storage whose keys are bound to a policy, given by the security token service of MinIO. */
async function restricted({ server, open }: Bucket, policy: object) {
  const { accessKeyId, secretAccessKey } = server;
  const form = { Action: "AssumeRole", Version: "2011-06-15", Policy: JSON.stringify(policy) };
  const body = new URLSearchParams(form).toString();
  const signer = new AwsV4Signer({
    method: "POST",
    url: `${server.url}/`,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body,
    accessKeyId,
    secretAccessKey,
    service: "sts",
    region: "us-east-1",
  });
  const { url, headers } = await signer.sign();
  const text = await (await fetch(url, { method: "POST", headers, body })).text();
  const value = (name: string) => new RegExp(`<${name}>(.*)</${name}>`).exec(text)?.[1] ?? "";
  return open({
    credentials: {
      accessKeyId: value("AccessKeyId"),
      secretAccessKey: value("SecretAccessKey"),
      sessionToken: value("SessionToken"),
    },
  });
}

describe.skipIf(!s3Tier().available || !isMinio())("the rights that the documentation asks for", () => {
  test("are enough for everything that the server does", async () => {
    const bucket = await createBucket();
    const storage = await restricted(bucket, documentedPolicy(bucket.bucket));
    await storage.check();
    expect(await storage.probe()).toEqual({ refusesOtherBytes: true, refusesSecondPut: true });
    expect(await storage.head(hello.key)).toBeUndefined();
    const { url, headers } = await storage.presignPut({ ...hello, expiresSeconds: 60 });
    expect((await fetch(url, { method: "PUT", headers, body: hello.data })).status).toBe(200);
    expect(await storage.head(hello.key)).toMatchObject({ checksum: hello.digest });
    expect(await new Response(await storage.read(hello.key)).text()).toBe("hello, storage");
    expect(await Array.fromAsync(storage.list("artifacts/"))).toHaveLength(1);
    await storage.abandon(hello.key);
    await storage.remove(hello.key);
    for (const isJoined of [true, false]) {
      const uploadId = await storage.startMultipart(hello.key);
      const part = await storage.presignPart({ key: hello.key, uploadId, partNumber: 1, expiresSeconds: 60 });
      const sent = await fetch(part.url, { method: "PUT", body: hello.data });
      expect(await storage.listParts(hello.key, uploadId)).toHaveLength(1);
      expect(await Array.fromAsync(storage.listMultiparts(hello.key))).toHaveLength(1);
      const parts = [{ partNumber: 1, etag: sent.headers.get("etag") ?? "" }];
      await (isJoined
        ? storage.completeMultipart(hello.key, uploadId, parts)
        : storage.abortMultipart(hello.key, uploadId));
    }
  });

  test("are no more than it needs: with one less it cannot do its work, and says so", async () => {
    const bucket = await createBucket();
    const { Statement, ...policy } = documentedPolicy(bucket.bucket);
    const without = (action: string) => ({
      ...policy,
      Statement: Statement.map((one) => ({ ...one, Action: one.Action.filter((other) => other !== action) })),
    });
    const denied = expect.objectContaining({ message: expect.stringContaining("does not let these credentials") });
    const cases: [string, (storage: Awaited<ReturnType<typeof restricted>>) => Promise<unknown>][] = [
      ["s3:ListBucket", (storage) => storage.check()],
      ["s3:ListBucketMultipartUploads", (storage) => Array.fromAsync(storage.listMultiparts(hello.key))],
      ["s3:GetObject", (storage) => storage.read(hello.key)],
      ["s3:PutObject", (storage) => storage.startMultipart(hello.key)],
      ["s3:DeleteObject", (storage) => storage.remove(hello.key)],
      ["s3:AbortMultipartUpload", (storage) => storage.abortMultipart(hello.key, "any")],
      ["s3:ListMultipartUploadParts", (storage) => storage.listParts(hello.key, "any")],
    ];
    for (const [action, work] of cases) {
      expect([action, await failureOf(work(await restricted(bucket, without(action))))]).toEqual([action, denied]);
    }
    expect(cases.map(([action]) => action).toSorted()).toEqual(Statement.flatMap((one) => one.Action).toSorted());
  });
});
