import { expect, test } from "bun:test";
import { artifacts } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

/** An upload of one part, which is sent. */
async function start(aether: Harness, bytes: Uint8Array) {
  const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
  const part = { ...request, upload_id: upload.upload_id, part_number: 1 };
  const { body: signed } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
  const sent = await put({ upload_url: signed.url, headers: signed.headers }, bytes);
  return { request, upload, parts: [{ partNumber: 1, etag: sent.headers.get("etag") ?? "" }] };
}

withDatabases("uploads in parts that are begun anew", (open) => {
  test("one that was joined, and never heard of it, is sent on to its completion (K4)", async () => {
    await using aether = await createHarness({ open });
    const { request, upload, parts } = await start(aether, someBytes("joined, then killed"));
    await aether.storage.completeMultipart(upload.storage_key, upload.upload_id, parts);
    expect(await aether.send("POST", "/artifacts/multipart/init", request)).toMatchObject({
      status: 409,
      body: { code: "conflict", hint: "Complete the upload: POST /artifacts/complete." },
    });
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({ body: { status: "stored" } });
  });

  test("one is hashed as a whole, also where hashing is off", async () => {
    await using aether = await createHarness({ open, settings: { verifyRemoteHash: false } });
    const { request, upload, parts } = await start(aether, someBytes("known by its parts alone"));
    await aether.storage.completeMultipart(upload.storage_key, upload.upload_id, parts);
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
    expect(await aether.control.db.select().from(artifacts)).toMatchObject([{ status: "stored", verified: true }]);
  });

  test("no part is signed for more than the others leave of what was announced", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("twenty bytes, no more");
    const { request, upload } = await start(aether, bytes);
    const signPart = (part_number: number, size_bytes: number) =>
      aether.send("POST", "/artifacts/multipart/presign-part", {
        ...request,
        upload_id: upload.upload_id,
        part_number,
        size_bytes,
      });
    for (const part of [2, 10_000]) {
      expect(await signPart(part, bytes.length)).toMatchObject({ status: 400, body: { code: "size_exceeded" } });
    }
    expect((await signPart(1, bytes.length)).status).toBe(200); // again, in place of its earlier self
    expect((await signPart(1, bytes.length + 1)).status).toBe(400);
  });

  test("one that storage has swept gets a new id, and one that is under way keeps its own", async () => {
    await using aether = await createHarness({ open });
    const { request, upload } = await start(aether, someBytes("forgotten in the middle"));
    expect((await aether.send("POST", "/artifacts/multipart/init", request)).body).toMatchObject({
      upload_id: upload.upload_id,
    });
    await aether.storage.abortMultipart(upload.storage_key, upload.upload_id);
    const { status, body } = await aether.send("POST", "/artifacts/multipart/init", request);
    expect([status, body.upload_id === upload.upload_id]).toEqual([200, false]);
    const part = { ...request, upload_id: body.upload_id, part_number: 1 };
    expect((await aether.send("POST", "/artifacts/multipart/presign-part", part)).status).toBe(200);
  });
});
