import { expect, test } from "bun:test";
import { openRequest, send, statusOf } from "../harness/raw-http.ts";
import { type StorageServer, sample, storageServer } from "../harness/storage-server.ts";
import { waitFor } from "../harness/wait-for.ts";

const big = sample(new Uint8Array(2_000_000).fill(3));

const presign = ({ storage }: StorageServer, object = big) => storage.presignPut({ ...object, expiresSeconds: 60 });
const uploads = async (server: StorageServer) => (await server.files()).filter((file) => !file.startsWith("grants/"));
const isReceiving = async (server: StorageServer) =>
  (await uploads(server)).some((file) => file.startsWith("incoming/"));

test.each([
  ["closed", "end"],
  ["reset", "resetAndDestroy"],
] as const)("an upload whose connection is %s half way leaves nothing, and can be sent again", async (_, cut) => {
  await using server = await storageServer();
  const request = await presign(server);
  const socket = await openRequest(request);
  await send(socket, big.data.subarray(0, 1_000_000));
  await waitFor("the server writes", () => isReceiving(server));
  socket[cut]();
  await waitFor("the server gives up", async () => (await uploads(server)).length === 0);
  expect((await fetch(request.url, { ...request, body: big.data })).status).toBe(200);
  expect(await uploads(server)).toEqual([`objects/${big.key}`]);
});

test("a cut chunked upload without a signed size stores nothing", async () => {
  await using server = await storageServer();
  const { sizeBytes: _, ...unsized } = big;
  const request = await server.storage.presignPut({ ...unsized, expiresSeconds: 60 });
  const socket = await openRequest({ ...request, headers: { ...request.headers, "transfer-encoding": "chunked" } });
  await send(socket, `${(1_000_000).toString(16)}\r\n`);
  await send(socket, big.data.subarray(0, 1_000_000));
  await waitFor("the server writes", () => isReceiving(server));
  socket.end();
  await waitFor("the server gives up", async () => (await uploads(server)).length === 0);
});

test("a slow sender is waited for", async () => {
  await using server = await storageServer();
  const socket = await openRequest(await presign(server));
  for (let at = 0; at < big.sizeBytes; at += 400_000) {
    await send(socket, big.data.subarray(at, at + 400_000));
    await Bun.sleep(30); // the slowness is the subject
  }
  expect(await statusOf(socket)).toBe(200);
});

test("a chunked body in place of the signed length is refused", async () => {
  await using server = await storageServer();
  const { url, method, headers } = await presign(server, sample("hello"));
  const { "content-length": _, ...unsized } = headers;
  const socket = await openRequest({ url, method, headers: { ...unsized, "transfer-encoding": "chunked" } });
  await send(socket, "5\r\nhello\r\n0\r\n\r\n");
  expect(await statusOf(socket)).toBe(400);
  expect(await uploads(server)).toEqual([]);
});

test("a refused upload gets its answer while the client is still sending", async () => {
  await using server = await storageServer();
  const request = await presign(server);
  await server.storage.remove(big.key);
  const response = await fetch(request.url, { ...request, body: big.data });
  expect(response.status).toBe(403);
});

test("abandoning an upload that is under way keeps its bytes out", async () => {
  await using server = await storageServer();
  const socket = await openRequest(await presign(server));
  await send(socket, big.data.subarray(0, 1_000_000));
  await waitFor("the server writes", () => isReceiving(server));
  await server.storage.remove(big.key);
  await send(socket, big.data.subarray(1_000_000));
  expect(await statusOf(socket)).toBe(403);
  await waitFor("nothing is left", async () => (await server.files()).length === 0);
});

test("a reader that goes away does not disturb the next one", async () => {
  await using server = await storageServer();
  const request = await presign(server);
  await fetch(request.url, { ...request, body: big.data });
  const download = await server.storage.presignGet(big.key, { expiresSeconds: 60, audience: "client" });
  const socket = await openRequest({ ...download, headers: {} });
  socket.destroy();
  expect((await (await fetch(download.url)).bytes()).length).toBe(big.sizeBytes);
});
