import { expect, test } from "bun:test";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const good = someBytes("good bytes");
const evil = someBytes("evil bytes");
const request = { app_name: "shop", digest: digestOf(good), size_bytes: good.length };
const kibibyte = 1024;

async function counted(aether: Harness) {
  const { body } = await aether.send("GET", "/metrics");
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(body)?.[1]);
  return { mismatch: count("artifact_digest_mismatch_total"), size: count("artifact_size_exceeded_total") };
}

async function sendForm(aether: Harness, bytes: Uint8Array) {
  const form = new FormData();
  form.set("app_name", "shop");
  form.set("artifact", new Blob([bytes.slice()]), "app.tar.gz");
  const headers = { "x-aether-artifact-digest": request.digest };
  return fetch(`${aether.api}/artifacts`, { method: "POST", headers, body: form });
}

test("bytes that are not what was announced are counted, by whichever way they come", async () => {
  await using aether = await createHarness();
  expect((await sendForm(aether, evil)).status).toBe(400);
  expect(await counted(aether)).toEqual({ mismatch: 1, size: 0 });

  const { body: signed } = await aether.send("POST", "/artifacts/presign", request);
  expect((await put(signed, evil)).status).toBe(400);
  expect(await counted(aether)).toEqual({ mismatch: 2, size: 0 });

  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
  const part = { ...request, upload_id: upload.upload_id, part_number: 1 };
  const { body: partUrl } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
  const sent = await put({ upload_url: partUrl.url, headers: partUrl.headers }, evil);
  const parts = [{ part_number: 1, etag: sent.headers.get("etag") }];
  const joined = await aether.send("POST", "/artifacts/multipart/complete", { ...part, parts });
  expect(joined.body).toMatchObject({ code: "digest_mismatch" });
  expect(await counted(aether)).toEqual({ mismatch: 3, size: 0 });
});

test("uploads that are too large are counted, by whichever way they come", async () => {
  await using aether = await createHarness({ settings: { maxArtifactSizeBytes: kibibyte } });
  expect((await sendForm(aether, new Uint8Array(200 * kibibyte))).status).toBe(413); // seen by its length
  expect((await sendForm(aether, new Uint8Array(2 * kibibyte))).status).toBe(413); // while it comes
  expect(await counted(aether)).toEqual({ mismatch: 0, size: 2 });

  const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
  const part = { ...request, upload_id: upload.upload_id, part_number: 1 };
  const longer = await aether.send("POST", "/artifacts/multipart/presign-part", { ...part, size_bytes: 11 });
  expect(longer.body).toMatchObject({ code: "size_exceeded" });
  const { body: partUrl } = await aether.send("POST", "/artifacts/multipart/presign-part", {
    ...part,
    size_bytes: undefined,
  });
  expect((await put({ upload_url: partUrl.url, headers: {} }, someBytes("eleven byte"))).status).toBe(400);
  expect(await counted(aether)).toEqual({ mismatch: 0, size: 4 });
});
