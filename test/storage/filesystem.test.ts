import { expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type StorageServer, sample, storageServer } from "../harness/storage-server.ts";

const hello = sample("hello, storage");

async function presign({ storage }: StorageServer, object = hello) {
  return storage.presignPut({ ...object, expiresSeconds: 60 });
}

async function put(server: StorageServer, object = hello) {
  const { url, method, headers } = await presign(server, object);
  return fetch(url, { method, headers, body: object.data });
}

async function answer(sent: Promise<Response>) {
  const response = await sent;
  const { code } = (await response.json()) as { code: string };
  return [response.status, code];
}

test("what was put with its signed URL is there, and nothing else", async () => {
  await using server = await storageServer();
  const response = await put(server);
  expect(response.status).toBe(200);
  expect(response.headers.get("etag")).toBe(`"${hello.digest}"`);
  expect(await server.storage.head(hello.key)).toMatchObject({ key: hello.key, sizeBytes: hello.sizeBytes });
  expect(await server.files()).toEqual([`objects/${hello.key}`]);
  expect(await new Response(await server.storage.read(hello.key)).text()).toBe("hello, storage");
});

test("a second PUT of the same URL is refused with 412 and changes nothing", async () => {
  await using server = await storageServer();
  const { url, headers } = await presign(server);
  const send = () => fetch(url, { method: "PUT", headers, body: hello.data });
  expect((await send()).status).toBe(200);
  const second = await send();
  expect(second.status).toBe(412);
  expect(await second.json()).toMatchObject({ code: "conflict" });
  expect(await server.files()).toEqual([`objects/${hello.key}`]);
});

test("of two PUTs at once one stores and the other is refused", async () => {
  await using server = await storageServer();
  const big = sample(new Uint8Array(3_000_000).fill(1));
  const { url, headers } = await presign(server, big);
  const statuses = await Promise.all(
    [1, 2, 3].map(async () => (await fetch(url, { method: "PUT", headers, body: big.data })).status),
  );
  expect(statuses.toSorted()).toEqual([200, 412, 412]);
  expect(await server.files()).toEqual([`objects/${big.key}`]);
});

test.each<
  [
    string,
    (request: { url: URL; method: string; headers: Record<string, string>; body: string }) => void,
    number,
    string,
  ]
>([
  ["other bytes of the same length", (request) => (request.body = "HELLO, storage"), 400, "digest_mismatch"],
  [
    "another length",
    (request) => {
      request.body = "hello";
      request.headers["content-length"] = "5";
    },
    403,
    "forbidden",
  ],
  ["another checksum", (request) => (request.headers["x-amz-checksum-sha256"] = "AAAA"), 403, "forbidden"],
  ["no checksum", (request) => delete request.headers["x-amz-checksum-sha256"], 400, "bad_request"],
  ["no if-none-match", (request) => delete request.headers["if-none-match"], 400, "bad_request"],
  ["a longer expiry", (request) => request.url.searchParams.set("expires", "9999999999"), 403, "forbidden"],
  ["another size in the URL", (request) => request.url.searchParams.set("size", "5"), 403, "forbidden"],
  ["no size in the URL", (request) => request.url.searchParams.delete("size"), 403, "forbidden"],
  ["an added parameter", (request) => request.url.searchParams.append("part", "1"), 403, "forbidden"],
  ["a doubled parameter", (request) => request.url.searchParams.append("expires", "9999999999"), 403, "forbidden"],
  [
    "another app's key",
    (request) => (request.url.pathname = request.url.pathname.replace("shop", "bank")),
    403,
    "forbidden",
  ],
  ["no signature", (request) => request.url.searchParams.delete("signature"), 403, "forbidden"],
  ["a signature that is not hex", (request) => request.url.searchParams.set("signature", "zz"), 403, "forbidden"],
  ["POST", (request) => (request.method = "POST"), 403, "forbidden"],
  ["DELETE", (request) => (request.method = "DELETE"), 403, "forbidden"],
])("a PUT with %s is refused and leaves nothing", async (_, change, status, code) => {
  await using server = await storageServer();
  const signed = await presign(server);
  const request = { url: new URL(signed.url), method: "PUT", headers: { ...signed.headers }, body: "hello, storage" };
  change(request);
  const response = await fetch(request.url, request);
  expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
  expect((await server.files()).filter((file) => !file.startsWith("grants/"))).toEqual([]);
});

test("a PUT URL does not read, and a GET URL does not write", async () => {
  await using server = await storageServer();
  const upload = await presign(server);
  await put(server);
  expect((await fetch(upload.url)).status).toBe(403);
  const download = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
  const write = await fetch(download.url, { method: "PUT", headers: upload.headers, body: hello.data });
  expect(write.status).toBe(403);
});

test("URLs end with their expiry", async () => {
  await using server = await storageServer();
  const upload = await presign(server);
  const download = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
  server.clock.now = new Date(server.clock.now.getTime() + 61_000);
  expect(await answer(fetch(upload.url, { ...upload, body: hello.data }))).toEqual([403, "forbidden"]);
  expect((await fetch(download.url)).status).toBe(403);
});

test("an abandoned upload's URL stores nothing, while a URL asked for later does", async () => {
  await using server = await storageServer();
  const leaked = await presign(server);
  await server.storage.remove(hello.key);
  const send = (request: typeof leaked) => fetch(request.url, { ...request, body: hello.data });
  expect((await send(leaked)).status).toBe(403);
  const fresh = await presign(server);
  expect((await send(leaked)).status).toBe(403);
  expect((await send(fresh)).status).toBe(200);
  await server.storage.remove(hello.key);
  expect([(await send(leaked)).status, (await send(fresh)).status]).toEqual([403, 403]);
  expect(await server.files()).toEqual([]);
});

test("asking twice gives two URLs that both work until one stored the bytes", async () => {
  await using server = await storageServer();
  const [first, second] = await Promise.all([presign(server), presign(server)]);
  expect((await fetch(second.url, { ...second, body: hello.data })).status).toBe(200);
  expect((await fetch(first.url, { ...first, body: hello.data })).status).toBe(412);
});

test("without a signed size any length is taken that hashes right, up to the server's limit", async () => {
  await using server = await storageServer({ maxObjectBytes: 20 });
  const { sizeBytes: _, ...unsized } = hello;
  const stored = await server.storage.presignPut({ ...unsized, expiresSeconds: 60 });
  expect(stored.headers).not.toHaveProperty("content-length");
  expect((await fetch(stored.url, { ...stored, body: hello.data })).status).toBe(200);
  const long = sample("x".repeat(21));
  const refused = await server.storage.presignPut({ key: long.key, digest: long.digest, expiresSeconds: 60 });
  expect(await answer(fetch(refused.url, { ...refused, body: long.data }))).toEqual([400, "size_exceeded"]);
});

test.each([
  ["../secret", 403],
  ["..%2f..%2fsecret", 403],
  ["artifacts/%2e%2e/%2e%2e/secret", 403],
  [".hidden", 403],
  ["a//b", 403],
  ["a%00b", 403],
])("the path %s is refused", async (path, status) => {
  await using server = await storageServer();
  await writeFile(join(server.folder, "secret"), "secret");
  expect((await fetch(`http://127.0.0.1:${server.port}/storage/${path}`)).status).toBe(status);
});

test.each(["../x", "a/../b", "/abs", ".tmp", "a//b", "a/", "", "a\0b", "a\\b", `a${"b".repeat(512)}`])(
  "the key %j is refused as a bug of the caller",
  async (key) => {
    await using server = await storageServer();
    await expect(server.storage.presignPut({ ...hello, key, expiresSeconds: 60 })).rejects.toThrow("Not a storage key");
    await expect(server.storage.presignGet(key, { expiresSeconds: 1, audience: "client" })).rejects.toThrow();
    await expect(server.storage.head(key)).rejects.toThrow("Not a storage key");
    await expect(server.storage.remove(key)).rejects.toThrow("Not a storage key");
  },
);

test.each([
  ["bytes=0-4", 206, "hello", "bytes 0-4/14"],
  ["bytes=7-", 206, "storage", "bytes 7-13/14"],
  ["bytes=-7", 206, "storage", "bytes 7-13/14"],
  ["bytes=7-999", 206, "storage", "bytes 7-13/14"],
  ["bytes=14-", 416, "", "bytes */14"],
  ["bytes=0-1,3-4", 200, "hello, storage", null],
  ["lines=0-1", 200, "hello, storage", null],
])("GET with range %s answers %d", async (range, status, body, contentRange) => {
  await using server = await storageServer();
  await put(server);
  const { url } = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "runtime" });
  expect(new URL(url).pathname).toStartWith("/internal/storage/");
  const response = await fetch(url, { headers: { range } });
  expect([response.status, await response.text(), response.headers.get("content-range")]).toEqual([
    status,
    body,
    contentRange,
  ]);
});

test("a range of another version is not given: If-Match and If-Range name the digest", async () => {
  await using server = await storageServer();
  await put(server);
  const { url } = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
  const get = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
  expect(await get({ range: "bytes=0-1", "if-match": `"${hello.digest}"` })).toBe(206);
  expect(await get({ range: "bytes=0-1", "if-match": '"other"' })).toBe(412);
  expect(await get({ range: "bytes=0-1", "if-range": '"other"' })).toBe(200);
  expect(await get({ "if-none-match": `"${hello.digest}"` })).toBe(304);
});

test("HEAD tells the size and the digest without the bytes", async () => {
  await using server = await storageServer();
  await put(server);
  const { url } = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
  const response = await fetch(url, { method: "HEAD" });
  expect([response.status, response.headers.get("content-length"), response.headers.get("etag")]).toEqual([
    200,
    "14",
    `"${hello.digest}"`,
  ]);
});

test("a missing object is 404 in the envelope, undefined from head, not_found from read", async () => {
  await using server = await storageServer();
  const { url } = await server.storage.presignGet(hello.key, { expiresSeconds: 60, audience: "client" });
  expect(await answer(fetch(url))).toEqual([404, "not_found"]);
  expect(await server.storage.head(hello.key)).toBeUndefined();
  await expect(server.storage.read(hello.key)).rejects.toMatchObject({ code: "not_found" });
  await server.storage.remove(hello.key);
});

test("list gives the objects under a prefix, in order", async () => {
  await using server = await storageServer();
  const objects = [sample("1", "bank"), sample("2", "shop"), sample("3", "shopping")];
  for (const object of objects) await put(server, object);
  const keys = async (prefix: string) =>
    (await Array.fromAsync(server.storage.list(prefix))).map((object) => object.key);
  expect(await keys("")).toEqual(objects.map(({ key }) => key));
  expect(await keys("artifacts/shop/")).toEqual([objects[1]?.key ?? ""]);
  expect(await keys("artifacts/shop")).toEqual(objects.slice(1).map(({ key }) => key));
  expect(await keys("nothing")).toEqual([]);
});

test("check passes on a usable folder and explains an unusable one", async () => {
  await using server = await storageServer();
  await server.storage.check();
  expect(await server.files()).toEqual([]);
  await rm(server.folder, { recursive: true });
  await writeFile(server.folder, "a file in its place");
  await expect(server.storage.check()).rejects.toThrow();
});

test("sweep removes what killed uploads left, and expired grants, and nothing that is in use", async () => {
  await using server = await storageServer();
  await put(server);
  await presign(server, sample("pending"));
  await writeFile(join(server.folder, "incoming", "left-behind"), "half");
  await server.storage.sweep({ temporaryMs: 3_600_000, multipartMs: 3_600_000 });
  expect(await server.files()).toHaveLength(3);
  server.clock.now = new Date(Date.now() + 7_200_000);
  await server.storage.sweep({ temporaryMs: 3_600_000, multipartMs: 3_600_000 });
  expect(await server.files()).toEqual([`objects/${hello.key}`]);
});
