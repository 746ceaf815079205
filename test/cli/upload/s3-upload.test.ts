import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createClient } from "../../../src/cli/client.ts";
import { uploadThroughServer } from "../../../src/cli/upload/form-upload.ts";
import { upload } from "../../../src/cli/upload/upload.ts";
import { createHarness, digestOf, put } from "../../harness/control-plane.ts";
import { createBucket, s3Tier } from "../../harness/object-store.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const mebibyte = 1024 ** 2;
const bytes = new Uint8Array(12 * mebibyte).map((_, at) => (at * 37) % 233);
const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };

async function laptop() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const { storage } = await createBucket();
  const settings = {
    maxArtifactSizeBytes: 50 * mebibyte,
    multipartThresholdBytes: mebibyte,
    multipartPartSizeBytes: 5 * mebibyte,
  };
  const aether = stack.use(await createHarness({ settings, artifacts: storage }));
  const path = join(folder.path, "app.tar.gz");
  await Bun.write(path, bytes);
  const { signal } = new AbortController();
  const options = {
    client: createClient({ server: aether.api, signal }),
    app: "shop",
    artifact: { path, digest: request.digest, sizeBytes: bytes.length },
    signal,
    onProgress: () => {},
    onRetry: () => {},
    met: {},
    onBusy: () => {},
    onFallback: () => {},
  };
  const head = async () =>
    (await aether.send("HEAD", `/artifacts/${request.digest}`)).headers.get("x-aether-completed-at");
  return { aether, options, head, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(!s3Tier().available)("on S3", () => {
  test("an upload under way is resumed, and keeps its part size (REG-E9, K3)", async () => {
    await using run = await laptop();
    const { body: started } = await run.aether.send("POST", "/artifacts/multipart/init", request);
    const piece = bytes.slice(0, 6 * mebibyte);
    const place = { ...request, upload_id: started.upload_id, part_number: 1, size_bytes: piece.length };
    const { body } = await run.aether.send("POST", "/artifacts/multipart/presign-part", place);
    expect((await put({ upload_url: body.url, headers: body.headers }, piece)).status).toBe(200);
    expect(await upload(run.options)).toEqual({ uploadedBytes: 6 * mebibyte, reusedBytes: 6 * mebibyte });
    expect(await run.head()).not.toBeNull();
  });

  test("the form goes through the server into the bucket (REG-L1, E13)", async () => {
    await using run = await laptop();
    expect(await uploadThroughServer(run.options)).toEqual({ uploadedBytes: bytes.length, reusedBytes: 0 });
    expect(await run.head()).not.toBeNull();
  });
});
