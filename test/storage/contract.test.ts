import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ArtifactStorage } from "../../src/storage/storage.ts";
import { failureOf } from "../harness/failure-of.ts";
import { createBucket, s3Tier } from "../harness/object-store.ts";
import { sample, storageServer } from "../harness/storage-server.ts";

type OpenStore = () => Promise<{ storage: ArtifactStorage; clock: { now: Date } } & AsyncDisposable>;

setDefaultTimeout(30_000);

const hello = sample("hello, storage");
const mebibyte = 1024 ** 2;

/** What every storage must do, tried on files and on a real S3 (REG-E15). */
function contract(name: string, open: OpenStore): void {
  const presign = (storage: ArtifactStorage, object = hello) => storage.presignPut({ ...object, expiresSeconds: 60 });

  async function put(storage: ArtifactStorage, object = hello) {
    const { url, method, headers } = await presign(storage, object);
    return fetch(url, { method, headers, body: object.data });
  }
  const read = async (storage: ArtifactStorage, key = hello.key) =>
    new Response(await storage.read(key)).bytes().then((bytes) => sample(bytes).digest);

  test(`${name}: what was put with its signed URL by plain fetch is there (REG-E1)`, async () => {
    await using store = await open();
    expect((await put(store.storage)).status).toBe(200);
    const object = await store.storage.head(hello.key);
    expect(object).toMatchObject({ key: hello.key, sizeBytes: hello.sizeBytes });
    expect(Math.abs(Number(object?.modifiedAt) - Date.now())).toBeLessThan(60_000);
    expect([undefined, hello.digest]).toContain(object?.checksum);
    expect(await read(store.storage)).toBe(hello.digest);
    const signed = await store.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
    expect(await (await fetch(signed.url)).text()).toBe("hello, storage");
  });

  test(`${name}: a second PUT is refused with 412 and changes nothing (REG-E1, T3)`, async () => {
    await using store = await open();
    const { url, headers } = await presign(store.storage);
    const send = () => fetch(url, { method: "PUT", headers, body: hello.data });
    expect([(await send()).status, (await send()).status]).toEqual([200, 412]);
    expect(await read(store.storage)).toBe(hello.digest);
  });

  test.each<[string, (request: Changeable) => void]>([
    ["other bytes of the same length", (request) => (request.body = "HELLO, storage")],
    ["a longer body", longer],
    ["a shorter body", shorter],
    ["another checksum", (request) => (request.headers["x-amz-checksum-sha256"] = sample("x").checksum)],
    ["no checksum", (request) => delete request.headers["x-amz-checksum-sha256"]],
    ["no if-none-match", (request) => delete request.headers["if-none-match"]],
    ["another app's key", ({ url }) => (url.pathname = url.pathname.replace("shop", "bank"))],
    ["a key below", ({ url }) => (url.pathname = `${url.pathname}/more`)],
    ["another method", (request) => (request.method = "POST")],
    ["DELETE", (request) => (request.method = "DELETE")],
  ])(`${name}: a PUT with %s is refused by the store itself and stores nothing (REG-E1, T3)`, async (_, change) => {
    await using store = await open();
    const signed = await presign(store.storage);
    const request = { url: new URL(signed.url), method: "PUT", headers: { ...signed.headers }, body: "hello, storage" };
    change(request);
    const response = await fetch(request.url, request);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(await Array.fromAsync(store.storage.list(""))).toEqual([]);
  });

  test(`${name}: a PUT URL does not read, and a GET URL does not write (T3)`, async () => {
    await using store = await open();
    const upload = await presign(store.storage);
    const download = await store.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
    expect((await fetch(download.url, { ...upload, method: "PUT", body: hello.data })).status).toBe(403);
    await put(store.storage);
    expect([400, 403]).toContain((await fetch(upload.url)).status); // 400: signed headers are missing
  });

  test(`${name}: URLs end with their expiry (REG-E1, T3)`, async () => {
    await using store = await open();
    const real = store.clock.now;
    store.clock.now = new Date(real.getTime() - 120_000);
    const upload = await presign(store.storage);
    const download = await store.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
    store.clock.now = new Date();
    expect((await fetch(upload.url, { ...upload, body: hello.data })).status).toBe(403);
    expect((await put(store.storage)).status).toBe(200);
    expect((await fetch(download.url)).status).toBe(403);
  });

  test(`${name}: an abandoned upload's URL stores nothing, and a URL asked for later does (REG-E1)`, async () => {
    await using store = await open();
    const leaked = await presign(store.storage);
    await store.storage.abandon(hello.key);
    const response = await fetch(leaked.url, { ...leaked, body: hello.data });
    expect([403, 412]).toContain(response.status);
    expect(await store.storage.head(hello.key)).toBeUndefined();
    expect(await Array.fromAsync(store.storage.list(""))).toEqual([]);
    await store.storage.remove(hello.key);
    expect((await put(store.storage)).status).toBe(200);
    expect(await read(store.storage)).toBe(hello.digest);
  });

  test(`${name}: abandoning takes bytes that are there already`, async () => {
    await using store = await open();
    await put(store.storage);
    await store.storage.abandon(hello.key);
    expect(await store.storage.head(hello.key)).toBeUndefined();
    expect(await failureOf(store.storage.read(hello.key))).toMatchObject({ code: "not_found" });
  });

  test(`${name}: without a signed size the checksum still binds`, async () => {
    await using store = await open();
    const { sizeBytes: _, ...unsized } = hello;
    const { url, headers } = await store.storage.presignPut({ ...unsized, expiresSeconds: 60 });
    expect(headers).not.toHaveProperty("content-length");
    expect((await fetch(url, { method: "PUT", headers, body: "another text" })).status).toBe(400);
    expect((await fetch(url, { method: "PUT", headers, body: hello.data })).status).toBe(200);
  });

  test(`${name}: a missing object is undefined from head, not_found from read; removing it is harmless`, async () => {
    await using store = await open();
    expect(await store.storage.head(hello.key)).toBeUndefined();
    expect(await failureOf(store.storage.read(hello.key))).toMatchObject({ code: "not_found" });
    await store.storage.remove(hello.key);
    await put(store.storage);
    await store.storage.remove(hello.key);
    await store.storage.remove(hello.key);
    expect(await store.storage.head(hello.key)).toBeUndefined();
  });

  test(`${name}: list gives the objects under a prefix, in order`, async () => {
    await using store = await open();
    const objects = [sample("1", "bank"), sample("2", "shop"), sample("3", "shopping")];
    for (const object of objects) await put(store.storage, object);
    const keys = async (prefix: string) =>
      (await Array.fromAsync(store.storage.list(prefix))).map((object) => object.key);
    expect(await keys("")).toEqual(objects.map(({ key }) => key));
    expect(await keys("artifacts/shop/")).toEqual([objects[1]?.key ?? ""]);
    expect(await keys("nothing")).toEqual([]);
    const all = await keys("artifacts/");
    for (const [at, after] of all.entries()) {
      const rest = await Array.fromAsync(store.storage.list("artifacts/", { after }));
      expect(rest.map(({ key }) => key)).toEqual(all.slice(at + 1));
    }
  });

  test.each(["../x", "a/../b", "/abs", ".tmp", "a//b", "a/", "", "a\0b", "a\\b", `a${"b".repeat(512)}`])(
    `${name}: the key %j is refused as a bug of the caller`,
    async (key) => {
      await using store = await open();
      const expected = "Not a storage key";
      const calls = [
        async () => store.storage.presignPut({ ...hello, key, expiresSeconds: 60 }),
        async () => store.storage.presignGet(key, { expiresSeconds: 1, audience: "client" }),
        async () => store.storage.head(key),
        async () => store.storage.remove(key),
        async () => store.storage.startMultipart(key),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(expected);
    },
  );

  test(`${name}: check passes where objects can be kept`, async () => {
    await using store = await open();
    await store.storage.check();
  });

  describe(`${name}, in parts`, () => {
    const pieces = [sample(bytes(5 * mebibyte, 1)), sample(bytes(5 * mebibyte, 2)), sample("the last")];
    const whole = sample(Buffer.concat(pieces.map(({ data }) => data)));

    async function sendPart(storage: ArtifactStorage, uploadId: string, partNumber: number) {
      const piece = pieces[partNumber - 1] ?? hello;
      const { sizeBytes } = piece;
      const { url, method, headers } = await storage.presignPart({
        key: whole.key,
        uploadId,
        partNumber,
        sizeBytes,
        expiresSeconds: 60,
      });
      const response = await fetch(url, { method, headers, body: piece.data });
      return { status: response.status, partNumber, etag: response.headers.get("etag") ?? "" };
    }

    test("parts sent in parallel are joined in order (REG-E9)", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const sent = await Promise.all([3, 1, 2].map((number) => sendPart(store.storage, uploadId, number)));
      expect(sent.map(({ status }) => status)).toEqual([200, 200, 200]);
      const parts = sent.toSorted((a, b) => a.partNumber - b.partNumber);
      await store.storage.completeMultipart(whole.key, uploadId, parts);
      expect(await store.storage.head(whole.key)).toMatchObject({ sizeBytes: whole.sizeBytes });
      expect((await store.storage.head(whole.key))?.checksum).toBeUndefined();
      expect(await read(store.storage, whole.key)).toBe(whole.digest);
      expect(await Array.fromAsync(store.storage.listMultiparts(whole.key))).toEqual([]);
    });

    test("the finished parts are listed, so that a broken upload goes on where it was (REG-E9)", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const { status: _, ...second } = await sendPart(store.storage, uploadId, 2);
      const clean = (etag: string) => etag.replaceAll('"', "");
      const listed = await store.storage.listParts(whole.key, uploadId);
      expect(listed.map((part) => ({ ...part, etag: clean(part.etag) }))).toEqual([
        { ...second, etag: clean(second.etag), sizeBytes: 5 * mebibyte },
      ]);
    });

    test("a part of another length than was signed is refused (T3)", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const signed = { key: whole.key, uploadId, partNumber: 1, sizeBytes: 100, expiresSeconds: 60 };
      const { url } = await store.storage.presignPart(signed);
      expect((await fetch(url, { method: "PUT", body: hello.data })).status).toBe(403);
      expect(await store.storage.listParts(whole.key, uploadId)).toEqual([]);
    });

    test("joining with a part that is missing, changed or out of order is bad_request", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const [first, second] = [await sendPart(store.storage, uploadId, 1), await sendPart(store.storage, uploadId, 2)];
      const wrong = [
        [],
        [first, { ...second, partNumber: 3 }],
        [first, { ...second, etag: first.etag }],
        [second, first],
      ];
      for (const parts of wrong) {
        const failure = await failureOf(store.storage.completeMultipart(whole.key, uploadId, parts));
        expect(failure).toMatchObject({ code: "bad_request" });
      }
      expect(await store.storage.head(whole.key)).toBeUndefined();
    });

    test("joining where an object is already is a conflict, and does not replace it", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(hello.key);
      const { url, method, headers } = await store.storage.presignPart({
        key: hello.key,
        uploadId,
        partNumber: 1,
        expiresSeconds: 60,
      });
      const sent = await fetch(url, { method, headers, body: "something else" });
      await put(store.storage);
      const parts = [{ partNumber: 1, etag: sent.headers.get("etag") ?? "" }];
      expect(await failureOf(store.storage.completeMultipart(hello.key, uploadId, parts))).toMatchObject({
        code: "conflict",
      });
      expect(await read(store.storage)).toBe(hello.digest);
    });

    test("an aborted upload is unknown, its URLs stop, and aborting again is harmless (REG-E1)", async () => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const signed = { key: whole.key, uploadId, partNumber: 1, expiresSeconds: 60 };
      const { url } = await store.storage.presignPart(signed);
      await store.storage.abortMultipart(whole.key, uploadId);
      await store.storage.abortMultipart(whole.key, uploadId);
      expect((await fetch(url, { method: "PUT", body: hello.data })).status).toBe(404);
      expect(await failureOf(store.storage.listParts(whole.key, uploadId))).toMatchObject({ code: "not_found" });
      const parts = [{ partNumber: 1, etag: "0".repeat(32) }];
      expect(await failureOf(store.storage.completeMultipart(whole.key, uploadId, parts))).toMatchObject({
        code: "not_found",
      });
    });

    test("unfinished uploads of a key are listed with their age (K2)", async () => {
      await using store = await open();
      const uploadIds = [
        await store.storage.startMultipart(whole.key),
        await store.storage.startMultipart(whole.key),
        await store.storage.startMultipart(hello.key),
      ];
      const listed = await Array.fromAsync(store.storage.listMultiparts(whole.key));
      expect(listed.map(({ uploadId }) => uploadId).toSorted()).toEqual(uploadIds.slice(0, 2).toSorted());
      for (const { key, startedAt } of listed) {
        expect(key).toBe(whole.key);
        expect(Math.abs(startedAt.getTime() - Date.now())).toBeLessThan(60_000);
      }
    });

    test.each([0, 10_001, 1.5, -1])("the part number %d is bad_request", async (partNumber) => {
      await using store = await open();
      const uploadId = await store.storage.startMultipart(whole.key);
      const signed = { key: whole.key, uploadId, partNumber, expiresSeconds: 60 };
      expect(await failureOf(store.storage.presignPart(signed))).toMatchObject({ code: "bad_request" });
    });
  });
}

interface Changeable {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string;
}

function longer(request: Changeable): void {
  request.body = "hello, storage and more";
  delete request.headers["content-length"]; // fetch sends the right one
}

function shorter(request: Changeable): void {
  request.body = "hello";
  delete request.headers["content-length"];
}

const bytes = (size: number, seed: number): Uint8Array => new Uint8Array(size).map((_, at) => (at * seed) % 251);

contract("files", storageServer);
describe.skipIf(!s3Tier().available)("on S3", () => {
  contract("s3", async () => ({ ...(await createBucket()), async [Symbol.asyncDispose]() {} }));
});
