import { describe, expect, test } from "bun:test";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";
import { sample, storageServer } from "../harness/storage-server.ts";

const big = sample(new Uint8Array(8_000_000).fill(5));
const small = sample("small");

describe.skipIf(!smallDiskTier().available)("with a full disk", () => {
  test("an upload is refused with service_unavailable, leaves nothing, and what fits is stored after it", async () => {
    await using disk = await smallDisk(4);
    await using server = await storageServer({ folder: disk.path });
    const request = await server.storage.presignPut({ ...big, expiresSeconds: 60 });
    const response = await fetch(request.url, { ...request, body: big.data });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: "service_unavailable",
      message: expect.stringContaining("no space is left on the device"),
    });
    expect((await server.files()).filter((file) => !file.startsWith("grants/"))).toEqual([]);
    const next = await server.storage.presignPut({ ...small, expiresSeconds: 60 });
    expect((await fetch(next.url, { ...next, body: small.data })).status).toBe(200);
  });

  test("a part that does not fit is gone at once, and the log learns the path that the client does not", async () => {
    await using disk = await smallDisk(4);
    await using server = await storageServer({ folder: disk.path });
    const uploadId = await server.storage.startMultipart(big.key);
    const signed = await server.storage.presignPart({ key: big.key, uploadId, partNumber: 1, expiresSeconds: 60 });
    const response = await fetch(signed.url, { ...signed, body: big.data });
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain(disk.path);
    expect(await server.files()).toEqual([`multipart/${uploadId}/key`]);
    const cause = { code: "disk_failed", message: expect.stringContaining(`${disk.path}/incoming`) };
    expect(server.errors).toMatchObject([{ code: "service_unavailable", cause }]);
  });

  test("an upload that finds no room takes it from uploads that were idle for ten minutes, for the next try", async () => {
    await using disk = await smallDisk(4);
    await using server = await storageServer({ folder: disk.path });
    const send = async (uploadId: string, bytes: number) => {
      const signed = await server.storage.presignPart({ key: big.key, uploadId, partNumber: 1, expiresSeconds: 60 });
      return (await fetch(signed.url, { ...signed, body: big.data.subarray(0, bytes) })).status;
    };
    const idle = await server.storage.startMultipart(big.key);
    expect(await send(idle, 3_000_000)).toBe(200);
    const next = await server.storage.startMultipart(big.key);
    expect(await send(next, 2_000_000)).toBe(503);
    expect(await server.storage.listParts(big.key, idle)).toHaveLength(1);

    server.clock.now = new Date(Date.now() + 601_000);
    const after = await server.storage.startMultipart(big.key);
    await utimes(join(disk.path, "multipart", after), server.clock.now, server.clock.now);
    expect(await send(after, 2_000_000)).toBe(503);
    expect(await send(after, 2_000_000)).toBe(200);
    await expect(server.storage.listParts(big.key, idle)).rejects.toMatchObject({ code: "not_found" });
  });

  test("parts that do not fit joined stay, so that complete works once there is space", async () => {
    await using disk = await smallDisk(4);
    await using server = await storageServer({ folder: disk.path });
    const uploadId = await server.storage.startMultipart(small.key);
    const signed = await server.storage.presignPart({ key: small.key, uploadId, partNumber: 1, expiresSeconds: 60 });
    const response = await fetch(signed.url, { ...signed, body: big.data.subarray(0, 3_000_000) });
    const parts = [{ partNumber: 1, etag: response.headers.get("etag") ?? "" }];
    await expect(server.storage.completeMultipart(small.key, uploadId, parts)).rejects.toMatchObject({
      code: "service_unavailable",
    });
    expect(await server.storage.listParts(small.key, uploadId)).toHaveLength(1);
    expect((await server.files()).filter((file) => file.startsWith("incoming/"))).toEqual([]);
  });
});
