import { describe, expect, test } from "bun:test";
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
