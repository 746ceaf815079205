import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { system } from "../../src/control/control.ts";
import { expirePendingUploads } from "../../src/control/expiry.ts";
import { artifacts, auditEvents } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

withDatabases("uploads", (open) => {
  test("presign without an app answers 400 (REG-P1)", async () => {
    await using aether = await createHarness({ open });
    const answer = await aether.send("POST", "/artifacts/presign", { digest: digestOf(someBytes("x")) });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: "bad_request", message: expect.stringContaining("app_name") },
    });
  });

  test("a PUT and a complete make an artifact, and the same again is harmless (REG-P2, P3, P4, E5)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("release one");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const presigned = await aether.send("POST", "/artifacts/presign", request);
    expect(presigned.body).toMatchObject({ method: "PUT", storage_key: `artifacts/shop/${request.digest}/app.tar.gz` });
    expect((await aether.send("HEAD", `/artifacts/${request.digest}`)).status).toBe(404);
    expect((await put(presigned.body, bytes)).status).toBe(200);
    expect((await aether.send("HEAD", `/artifacts/${request.digest}`)).status).toBe(404);

    const completed = await aether.send("POST", "/artifacts/complete", request);
    expect(completed).toMatchObject({ status: 200, body: { status: "stored", duplicate: false, verified: false } });
    const { body: shown } = await aether.send("GET", `/artifacts/${request.digest}`);
    expect(shown).toMatchObject({ hashed: true, verified: false, signature: null });
    const again = await aether.send("POST", "/artifacts/complete", request);
    expect(again).toMatchObject({ status: 200, body: { ...completed.body, duplicate: true } });
    expect((await aether.send("POST", "/artifacts/presign", request)).body).toMatchObject({
      method: "NONE",
      upload_url: null,
    });

    const head = await aether.send("HEAD", `/artifacts/${request.digest}`);
    expect(head.status).toBe(200);
    expect(head.headers.get("x-aether-size")).toBe(String(bytes.length));
    expect(head.headers.get("x-aether-verified")).toBe("false");
    expect(head.headers.get("x-aether-completed-at")).toBe("2026-01-01T00:00:00.000Z");
  });

  test("a pending upload can be asked for again (REG-P5)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("again");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const first = await aether.send("POST", "/artifacts/presign", request);
    aether.advance(1_000_000); // the first URL is over
    expect((await put(first.body, bytes)).status).toBe(403);
    const second = await aether.send("POST", "/artifacts/presign", request);
    expect((await put(second.body, bytes)).status).toBe(200);
    expect((await put(second.body, bytes)).status).toBe(412);
  });

  test("a missing object never completes (REG-E3)", async () => {
    await using aether = await createHarness({ open });
    const request = { app_name: "shop", digest: digestOf(someBytes("never sent")), size_bytes: 10 };
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(404);
    await aether.send("POST", "/artifacts/presign", request);
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(404);
    const [row] = await aether.control.db.select().from(artifacts);
    expect(row?.status).toBe("pending");
  });

  test("another size than the object's answers size_mismatch (REG-E3)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("exactly so long");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    const answer = await aether.send("POST", "/artifacts/complete", { ...request, size_bytes: bytes.length + 1 });
    expect(answer).toMatchObject({ status: 400, body: { code: "size_mismatch" } });
    expect((await aether.send("HEAD", `/artifacts/${request.digest}`)).status).toBe(404);
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
  });

  test("bytes that changed in storage answer digest_mismatch, are deleted, and can be sent again (REG-E4)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("good bytes");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const key = `artifacts/shop/${request.digest}/app.tar.gz`;
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    const damaged: typeof aether.storage.read = async () => new Blob(["evil bytes"]).stream();
    aether.control.storage = { ...aether.storage, read: damaged };
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({
      status: 400,
      body: { code: "digest_mismatch" },
    });
    expect(await aether.storage.head(key)).toBeUndefined();
    const { body: metrics } = await aether.send("GET", "/metrics");
    expect(metrics).toContain('artifact_remote_hash_total{outcome="mismatch"} 1');
    expect(metrics).toContain('artifact_remote_hash_total{outcome="error"} 0');
    expect(metrics).toContain(`artifact_remote_hash_bytes_total ${bytes.length}`);
    expect(metrics).toContain("artifact_remote_hash_duration_seconds_count 1");
    const [row] = await aether.control.db.select().from(artifacts);
    expect(row?.status).toBe("pending");
    aether.control.storage = aether.storage;
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    expect((await aether.send("POST", "/artifacts/complete", request)).body).toMatchObject({ verified: false });
  });

  test("a store that fails while it is read is asked again (REG-E4)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("readable the third time");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    let reads = 0;
    const shaky: typeof aether.storage.read = async (key) => {
      reads += 1;
      if (reads < 3) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return aether.storage.read(key);
    };
    aether.control.storage = { ...aether.storage, read: shaky };
    expect((await aether.send("POST", "/artifacts/complete", request)).body).toMatchObject({ verified: false });
    expect(reads).toBe(3);
  });

  test("a store that gives half of an object is asked again, and the object is not blamed for it (F3)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("the whole of it");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    let reads = 0;
    const half: typeof aether.storage.read = async () => {
      reads += 1;
      return new Blob(["the whole"]).stream();
    };
    aether.control.storage = { ...aether.storage, read: half };
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({
      status: 409,
      body: { message: "The storage gave 9 of the 15 bytes that the object has." },
    });
    expect(reads).toBe(3);
    aether.control.storage = aether.storage;
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
  });

  test("uploads that nobody completed are removed, in the database and in storage (REG-E2)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("forgotten");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    const parts = { ...request, digest: digestOf(someBytes("in parts")) };
    const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", parts);
    expect(await expirePendingUploads(aether.control, system)).toBe(0);
    aether.advance(3_601_000);
    expect(await expirePendingUploads(aether.control, system)).toBe(2);
    expect(await aether.storage.head(`artifacts/shop/${request.digest}/app.tar.gz`)).toBeUndefined();
    const rows = await aether.control.db.select().from(artifacts);
    expect(rows.map(({ status }) => status)).toEqual(["expired", "expired"]);
    const part = { ...parts, upload_id: upload.upload_id, part_number: 1 };
    expect((await aether.send("POST", "/artifacts/multipart/presign-part", part)).status).toBe(404);
    expect((await aether.store("shop", bytes)).duplicate).toBe(false);
  });

  test("an abandoned upload is gone, and its URL stops", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("changed my mind");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const { body } = await aether.send("POST", "/artifacts/presign", request);
    expect((await aether.send("DELETE", `/artifacts/${request.digest}/upload?app=shop`)).status).toBe(204);
    expect((await put(body, bytes)).status).toBe(403);
    expect((await aether.send("DELETE", `/artifacts/${request.digest}/upload?app=shop`)).status).toBe(404);
  });

  test("parts are joined, verified and stored; completing twice is harmless", async () => {
    await using aether = await createHarness({ open, settings: { maxArtifactSizeBytes: 10_000_000 } });
    const bytes = new Uint8Array(6_000_000).map((_, at) => at % 251);
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
    const { body: resumed } = await aether.send("POST", "/artifacts/multipart/init", request);
    expect(resumed).toEqual(upload);
    const parts: { part_number: number; etag: string }[] = [];
    for (const part_number of [1, 2]) {
      const piece = bytes.slice((part_number - 1) * 5_242_880, part_number * 5_242_880);
      const { body } = await aether.send("POST", "/artifacts/multipart/presign-part", {
        ...request,
        upload_id: upload.upload_id,
        part_number,
        size_bytes: piece.length,
      });
      expect(body.headers).toEqual({ "content-length": String(piece.length) });
      const sent = await put({ upload_url: body.url, headers: body.headers }, piece);
      parts.push({ part_number, etag: sent.headers.get("etag") ?? "" });
    }
    const join = { ...request, upload_id: upload.upload_id, parts };
    expect(await aether.send("POST", "/artifacts/multipart/complete", join)).toMatchObject({
      status: 200,
      body: { duplicate: false, verified: false },
    });
    expect(await aether.send("POST", "/artifacts/multipart/complete", join)).toMatchObject({
      status: 200,
      body: { duplicate: true },
    });
  });

  test("a part is held to its own size or to what the artifact lacks, and the parts together to its size", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("0123456789");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
    const presign = (part_number: number, size_bytes?: number) =>
      aether.send("POST", "/artifacts/multipart/presign-part", {
        ...request,
        upload_id: upload.upload_id,
        part_number,
        size_bytes,
      });
    const send = async (part_number: number, piece: Uint8Array, size?: number) => {
      const { body } = await presign(part_number, size);
      const sent = await put({ upload_url: body.url, headers: body.headers }, piece);
      return { status: sent.status, etag: sent.headers.get("etag") ?? "", part_number };
    };
    const join = (parts: { etag: string; part_number: number }[], size_bytes = bytes.length) =>
      aether.send("POST", "/artifacts/multipart/complete", {
        ...request,
        size_bytes,
        upload_id: upload.upload_id,
        parts: parts.map(({ etag, part_number }) => ({ etag, part_number })),
      });

    expect(await presign(1, bytes.length + 1)).toMatchObject({ status: 400, body: { code: "size_exceeded" } });
    expect(await send(1, new Uint8Array(bytes.length + 1))).toMatchObject({ status: 400 });
    const first = await send(1, bytes.slice(0, 4));
    expect(first.status).toBe(200);
    expect(await send(2, bytes.slice(3))).toMatchObject({ status: 400 });
    expect(await join([first])).toMatchObject({ status: 400, body: { code: "size_mismatch" } });
    expect(await join([first], 4)).toMatchObject({ status: 400, body: { code: "size_mismatch" } });
    expect(await aether.control.storage.head(upload.storage_key)).toBeUndefined();
    const second = await send(2, bytes.slice(4));
    expect(await presign(3)).toMatchObject({ status: 400, body: { code: "size_exceeded" } });
    expect(await join([first, second])).toMatchObject({ status: 200, body: { verified: false } });
  });

  test("the old way still stores, and says that it is old", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("by form");
    const form = new FormData();
    form.set("app_name", "shop");
    form.set("artifact", new Blob([new TextDecoder().decode(bytes)]), "app.tar.gz");
    const send = (digest: string) =>
      fetch(`${aether.api}/artifacts`, { method: "POST", body: form, headers: { "x-aether-artifact-digest": digest } });
    const response = await send(digestOf(bytes));
    expect(response.status).toBe(200);
    expect(response.headers.get("x-aether-deprecated")).toBe("true");
    expect(await response.json()).toMatchObject({
      digest: digestOf(bytes),
      duplicate: false,
      app_linked: true,
      verified: false,
    });
    const wrong = await send(digestOf(someBytes("other")));
    expect(await wrong.json()).toMatchObject({ code: "digest_mismatch" });
    expect(wrong.status).toBe(400);
  });

  test("each transition has its audit row, with the request's id (REG-E18's rows)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("audited");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request, { "x-request-id": "first" })).body, bytes);
    await aether.send("POST", "/artifacts/complete", request, { "x-request-id": "second" });
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.subjectType, "artifact"))
      .orderBy(auditEvents.id);
    expect(rows.map(({ before, after, requestId }) => [before, after, requestId])).toEqual([
      [null, "pending", "first"],
      ["pending", "verifying", "second"],
      ["verifying", "stored", "second"],
    ]);
  });

  test("of many completes at once, all succeed and one stores", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("crowded");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => aether.send("POST", "/artifacts/complete", request)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const stored = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.after, "stored"))
      .orderBy(auditEvents.id);
    expect(stored).toHaveLength(1);
  });
});

const digest = digestOf(someBytes("any"));

test.each([
  [{ app_name: "shop" }, "missing_digest"],
  [{ app_name: "shop", digest: digest.toUpperCase() }, "invalid_digest"],
  [{ app_name: "shop", digest: `sha256:${digest}` }, "invalid_digest"],
  [{ app_name: "shop", digest, size_bytes: 0 }, "bad_request"],
  [{ app_name: "shop", digest, size_bytes: -1 }, "bad_request"],
  [{ app_name: "shop", digest, size_bytes: 1.5 }, "bad_request"],
  [{ app_name: "shop", digest, size_bytes: 2 ** 60 }, "bad_request"],
  [{ app_name: "shop", digest, size_bytes: 2_000_000 }, "size_exceeded"],
  [{ app_name: "../x", digest }, "bad_request"],
  [{ app_name: "kube-system", digest }, "bad_request"],
  ["{", "bad_request"],
  ["[]", "bad_request"],
  ['{"app_name":"shop","digest":"x"', "bad_request"],
])("presign of %p answers 400 %s in the envelope", async (body, code) => {
  await using aether = await createHarness();
  const answer = await aether.send("POST", "/artifacts/presign", body);
  expect(answer).toMatchObject({
    status: 400,
    body: { code, message: expect.any(String), request_id: expect.any(String) },
  });
});
