import { expect, test } from "bun:test";
import { createHarness, digestOf, put } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

const bytes = new Uint8Array(6_000_000).map((_, at) => at % 241);
const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
const pieces = [bytes.slice(0, 5_242_880), bytes.slice(5_242_880)];
const key = `artifacts/shop/${request.digest}/app.tar.gz`;

withDatabases("a multipart upload under way", (open) => {
  async function started() {
    const aether = await createHarness({ open, settings: { maxArtifactSizeBytes: 10_000_000 } });
    const init = () => aether.send("POST", "/artifacts/multipart/init", request);
    const { body: upload } = await init();
    async function send(part_number: number) {
      const piece = pieces[part_number - 1] ?? new Uint8Array();
      const place = { ...request, upload_id: upload.upload_id, part_number, size_bytes: piece.length };
      const { body } = await aether.send("POST", "/artifacts/multipart/presign-part", place);
      return put({ upload_url: body.url, headers: body.headers }, piece);
    }
    return { aether, init, upload, send, [Symbol.asyncDispose]: () => aether[Symbol.asyncDispose]() };
  }

  test("is found again with its finished parts, and completes with what init told of them (K3)", async () => {
    await using run = await started();
    expect(run.upload.parts).toEqual([]);
    await run.send(2);
    const { body } = await run.init();
    expect(body).toEqual({
      ...run.upload,
      parts: [{ part_number: 2, size_bytes: bytes.length - 5_242_880, etag: expect.any(String) }],
    });
    const etag = (await run.send(1)).headers.get("etag");
    const parts = [
      { part_number: 1, etag },
      { part_number: 2, etag: body.parts[0].etag },
    ];
    const join = { ...request, upload_id: run.upload.upload_id, parts };
    expect(await run.aether.send("POST", "/artifacts/multipart/complete", join)).toMatchObject({
      status: 200,
      body: { status: "stored" },
    });
    expect((await run.init()).status).toBe(409);
  });

  test("that the store has ended is started anew, under another id", async () => {
    await using run = await started();
    await run.send(1);
    await run.aether.storage.abortMultipart(key, run.upload.upload_id);
    const { status, body } = await run.init();
    expect(status).toBe(200);
    expect(body.parts).toEqual([]);
    expect(body.upload_id).not.toBe(run.upload.upload_id);
    expect((await run.init()).body).toEqual(body);
  });

  test("that was joined before the server died answers 409, and complete is all that is left (K4)", async () => {
    await using run = await started();
    for (const part of [1, 2]) await run.send(part);
    const { upload_id: uploadId } = run.upload;
    const parts = await run.aether.storage.listParts(key, uploadId);
    await run.aether.storage.completeMultipart(key, uploadId, parts); // and nothing reached the database
    expect(await run.init()).toMatchObject({ status: 409, body: { code: "conflict" } });
    expect(await run.aether.send("POST", "/artifacts/complete", request)).toMatchObject({
      status: 200,
      body: { status: "stored" },
    });
  });
});
