import { expect, test } from "bun:test";
import { openRequest, send } from "../harness/raw-http.ts";
import { type StorageServer, sample, storageServer } from "../harness/storage-server.ts";
import { waitFor } from "../harness/wait-for.ts";

const parts = [sample("first part, "), sample("second part, "), sample("the last")];
const whole = sample("first part, second part, the last");

async function sendPart({ storage }: StorageServer, uploadId: string, partNumber: number, body?: Uint8Array | string) {
  const signed = await storage.presignPart({ key: whole.key, uploadId, partNumber, expiresSeconds: 60 });
  const response = await fetch(signed.url, { ...signed, body: body ?? parts[partNumber - 1]?.data ?? "" });
  return { status: response.status, partNumber, etag: response.headers.get("etag") ?? "" };
}

test("parts sent in parallel are joined in order", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const sent = await Promise.all([3, 1, 2].map((number) => sendPart(server, uploadId, number)));
  expect(sent.map(({ status }) => status)).toEqual([200, 200, 200]);
  await server.storage.completeMultipart(
    whole.key,
    uploadId,
    sent.toSorted((a, b) => a.partNumber - b.partNumber),
  );
  expect(await new Response(await server.storage.read(whole.key)).text()).toBe("first part, second part, the last");
  expect(await server.files()).toEqual([`objects/${whole.key}`]);
});

test("a broken upload resumes: the finished parts are listed, a broken one is not", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const first = await sendPart(server, uploadId, 1);
  const signed = await server.storage.presignPart({ key: whole.key, uploadId, partNumber: 2, expiresSeconds: 60 });
  const socket = await openRequest({ ...signed, headers: { "content-length": "13" } });
  await send(socket, "second");
  await waitFor("the server writes", async () => (await server.files()).some((file) => file.startsWith("incoming/")));
  socket.end();
  await waitFor("it gives up", async () => !(await server.files()).some((file) => file.startsWith("incoming/")));
  expect(await server.storage.listParts(whole.key, uploadId)).toEqual([
    { partNumber: 1, etag: first.etag.replaceAll('"', ""), sizeBytes: 12 },
  ]);
});

test("a part sent again replaces its earlier self", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const old = await sendPart(server, uploadId, 1, "old");
  const fresh = await sendPart(server, uploadId, 1, whole.data);
  expect((await server.storage.listParts(whole.key, uploadId)).map(({ sizeBytes }) => sizeBytes)).toEqual([33]);
  await expect(server.storage.completeMultipart(whole.key, uploadId, [old])).rejects.toMatchObject({
    code: "bad_request",
  });
  await server.storage.completeMultipart(whole.key, uploadId, [fresh]);
  expect(await new Response(await server.storage.read(whole.key)).bytes()).toEqual(whole.data);
});

test("parts that together are not what the key names are refused, and removed", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const parts = [await sendPart(server, uploadId, 1), await sendPart(server, uploadId, 3)];
  await expect(server.storage.completeMultipart(whole.key, uploadId, parts)).rejects.toMatchObject({
    code: "digest_mismatch",
  });
  expect(await server.files()).toEqual([]);
});

test("complete refuses missing, disordered, doubled and forged parts, and none at all", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const one = await sendPart(server, uploadId, 1);
  const two = await sendPart(server, uploadId, 2);
  const forged = { partNumber: 1, etag: "../../../../etc/passwd" };
  for (const list of [[], [one, { ...two, partNumber: 3 }], [two, one], [one, one], [forged]]) {
    await expect(server.storage.completeMultipart(whole.key, uploadId, list)).rejects.toMatchObject({
      code: "bad_request",
    });
  }
  expect(await server.storage.head(whole.key)).toBeUndefined();
});

test("an aborted upload's parts and URLs are gone, also for a part under way", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  await sendPart(server, uploadId, 1);
  const signed = await server.storage.presignPart({ key: whole.key, uploadId, partNumber: 2, expiresSeconds: 60 });
  const socket = await openRequest({ ...signed, headers: { "content-length": "13" } });
  await send(socket, "second");
  await waitFor("the server writes", async () => (await server.files()).some((file) => file.startsWith("incoming/")));
  await server.storage.abortMultipart(whole.key, uploadId);
  await server.storage.abortMultipart(whole.key, uploadId);
  await send(socket, " part, ");
  await waitFor("nothing is left", async () => (await server.files()).length === 0);
  expect((await fetch(signed.url, { ...signed, body: "x" })).status).toBe(404);
  await expect(server.storage.listParts(whole.key, uploadId)).rejects.toMatchObject({ code: "not_found" });
  await expect(server.storage.completeMultipart(whole.key, uploadId, [])).rejects.toMatchObject({ code: "not_found" });
});

test("another app cannot touch an upload by guessing its id", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const other = sample("first part, second part, the last", "bank").key;
  await expect(server.storage.listParts(other, uploadId)).rejects.toMatchObject({ code: "not_found" });
  await expect(
    server.storage.presignPart({ key: other, uploadId, partNumber: 1, expiresSeconds: 60 }),
  ).rejects.toMatchObject({ code: "not_found" });
  await server.storage.abortMultipart(other, uploadId);
  expect(await server.storage.listParts(whole.key, uploadId)).toEqual([]);
});

test.each(["../../objects", "", "a".repeat(32), "A".repeat(32)])("the upload id %j is unknown", async (uploadId) => {
  await using server = await storageServer();
  await expect(server.storage.listParts(whole.key, uploadId)).rejects.toMatchObject({ code: "not_found" });
  await server.storage.abortMultipart(whole.key, uploadId);
});

test.each([0, -1, 1.5, 10_001])("there is no part %d", async (partNumber) => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  await expect(
    server.storage.presignPart({ key: whole.key, uploadId, partNumber, expiresSeconds: 60 }),
  ).rejects.toMatchObject({ code: "bad_request" });
});

test("a part's URL is for that part only", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const signed = await server.storage.presignPart({ key: whole.key, uploadId, partNumber: 1, expiresSeconds: 60 });
  for (const [name, value] of [
    ["part", "2"],
    ["upload", "0".repeat(32)],
  ] as const) {
    const url = new URL(signed.url);
    url.searchParams.set(name, value);
    expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(403);
  }
});

test("a part's URL takes its size exactly, or at most its limit, and keeps nothing else", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  const wanted = { key: whole.key, uploadId, partNumber: 1, expiresSeconds: 60 };
  const exact = await server.storage.presignPart({ ...wanted, sizeBytes: 4 });
  expect(exact.headers).toEqual({ "content-length": "4" });
  const limited = await server.storage.presignPart({ ...wanted, maxBytes: 4 });
  const statusOf = async (url: string, body: string | ReadableStream) =>
    (await fetch(url, { method: "PUT", body })).status;
  const unknownLength = () => new Blob(["12345"]).stream().pipeThrough(new TransformStream());
  expect(await statusOf(exact.url, "12345")).toBe(403);
  expect(await statusOf(exact.url, "123")).toBe(403);
  expect(await statusOf(exact.url, unknownLength())).toBe(400);
  expect(await statusOf(limited.url, "12345")).toBe(400);
  expect(await statusOf(limited.url, unknownLength())).toBe(400);
  expect(await statusOf(limited.url.replace("max=4", "max=5"), "12345")).toBe(403);
  expect((await server.files()).filter((file) => !file.endsWith("/key"))).toEqual([]);
  expect(await statusOf(exact.url, "1234")).toBe(200);
  expect(await statusOf(limited.url, "123")).toBe(200);
});

test("an object that is stored already is not overwritten by joined parts", async () => {
  await using server = await storageServer();
  const put = await server.storage.presignPut({ ...whole, expiresSeconds: 60 });
  await fetch(put.url, { ...put, body: whole.data });
  const uploadId = await server.storage.startMultipart(whole.key);
  const part = await sendPart(server, uploadId, 1, "other bytes");
  await expect(server.storage.completeMultipart(whole.key, uploadId, [part])).rejects.toMatchObject({
    code: "conflict",
  });
  expect(await new Response(await server.storage.read(whole.key)).bytes()).toEqual(whole.data);
});

test("sweep ends uploads that had no new part for long", async () => {
  await using server = await storageServer();
  const uploadId = await server.storage.startMultipart(whole.key);
  await sendPart(server, uploadId, 1);
  await server.storage.sweep({ temporaryMs: 0, multipartMs: 3_600_000 });
  expect(await server.storage.listParts(whole.key, uploadId)).toHaveLength(1);
  server.clock.now = new Date(Date.now() + 3_700_000);
  await server.storage.sweep({ temporaryMs: 0, multipartMs: 3_600_000 });
  expect(await server.files()).toEqual([]);
});
