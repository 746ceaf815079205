import { expect, test } from "bun:test";
import { join } from "node:path";
import { createClient, isTransient } from "../../../src/cli/client.ts";
import { uploadThroughServer } from "../../../src/cli/upload/form-upload.ts";
import { putBytes } from "../../../src/cli/upload/put-bytes.ts";
import { upload } from "../../../src/cli/upload/upload.ts";
import { createHarness, digestOf, type HarnessOptions, put } from "../../harness/control-plane.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const mebibyte = 1024 ** 2;
const bytes = new Uint8Array(12 * mebibyte).map((_, at) => (at * 31) % 239);
const digest = digestOf(bytes);
const request = { app_name: "shop", digest, size_bytes: bytes.length };

/** Changes an answer of the server before the command line sees it; called with the path of each request. */
type Meddle = (path: string, answer: unknown) => unknown;

/** A server whose parts have 5 MiB, and a command line that uploads to it. */
async function laptop(settings: HarnessOptions["settings"] = {}, meddle: Meddle = () => undefined) {
  const folder = await temporaryFolder();
  const path = join(folder.path, "app.tar.gz");
  await Bun.write(path, bytes);
  const limits = { maxArtifactSizeBytes: 50 * mebibyte, multipartThresholdBytes: mebibyte };
  const aether = await createHarness({ settings: { ...limits, multipartPartSizeBytes: 5 * mebibyte, ...settings } });
  const asked: string[] = [];
  async function ask(url: string | URL | Request, init?: RequestInit) {
    const { pathname } = new URL(String(url));
    asked.push(pathname);
    const response = await fetch(url, init);
    const answer: unknown = await response.clone().json();
    const other = await meddle(pathname, answer);
    return other === undefined ? response : Response.json(other);
  }
  const { signal } = new AbortController();
  const client = createClient({ server: aether.api, signal, fetch: Object.assign(ask, { preconnect() {} }) });
  const told: string[] = [];
  const say = (what: string) => (error: unknown) => void told.push(`${what}: ${(error as Error).message}`);
  const options = {
    client,
    app: "shop",
    artifact: { path, digest, sizeBytes: bytes.length },
    signal,
    onProgress: () => {},
    onRetry: say("retry"),
    met: {},
    onBusy: say("busy"),
    onFallback: say("fallback"),
  };
  return {
    aether,
    options,
    told,
    partsAsked: () => asked.filter((one) => one.endsWith("/presign-part")).length,
    stored: async () => (await aether.send("HEAD", `/artifacts/${digest}`)).status === 200,
    async [Symbol.asyncDispose]() {
      await aether[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** What an earlier command line had sent: one part from `from` to `to`. */
async function sendPart(
  aether: Awaited<ReturnType<typeof createHarness>>,
  part_number: number,
  from: number,
  to: number,
) {
  const { body: started } = await aether.send("POST", "/artifacts/multipart/init", request);
  const place = { ...request, upload_id: started.upload_id, part_number, size_bytes: to - from };
  const { body } = await aether.send("POST", "/artifacts/multipart/presign-part", place);
  await put({ upload_url: body.url, headers: body.headers }, bytes.slice(from, to));
}

test("an upload in parts sends each part once", async () => {
  await using run = await laptop();
  expect(await upload(run.options)).toEqual({ uploadedBytes: bytes.length, reusedBytes: 0 });
  expect(run.partsAsked()).toBe(3);
  expect(await run.stored()).toBe(true);
});

test("an upload under way is resumed: only what is missing is sent, and the sums are true (REG-E9, K3)", async () => {
  await using run = await laptop();
  await sendPart(run.aether, 2, 5 * mebibyte, 10 * mebibyte);
  const progress: number[] = [];
  const uploaded = await upload({ ...run.options, onProgress: (done) => progress.push(done) });
  expect(uploaded).toEqual({ uploadedBytes: 7 * mebibyte, reusedBytes: 5 * mebibyte });
  expect(run.partsAsked()).toBe(2);
  expect([progress.at(0), progress.at(-1)]).toEqual([5 * mebibyte, bytes.length]);
  expect(await run.stored()).toBe(true);
});

test("an upload under way keeps the part size that it was started with", async () => {
  await using run = await laptop();
  await sendPart(run.aether, 1, 0, 6 * mebibyte);
  expect(await upload(run.options)).toEqual({ uploadedBytes: 6 * mebibyte, reusedBytes: 6 * mebibyte });
  expect(run.partsAsked()).toBe(1);
  expect(await run.stored()).toBe(true);
});

test("a part's URL that expired is asked for anew", async () => {
  let expired = 0;
  const meddle: Meddle = (path) => {
    if (path.endsWith("/presign-part") && expired++ === 0) run.aether.advance(1_000_000);
  };
  await using run = await laptop({}, meddle);
  expect(await upload(run.options)).toEqual({ uploadedBytes: bytes.length, reusedBytes: 0 });
  expect(run.told).not.toEqual([]);
  for (const line of run.told) expect(line).toContain("This URL has expired.");
  expect(await run.stored()).toBe(true);
});

test("an upload that somebody abandons meanwhile is started again", async () => {
  let abandoned = 0;
  const meddle: Meddle = async (path) => {
    if (path.endsWith("/presign-part") && abandoned++ === 0)
      await run.aether.send("DELETE", `/artifacts/${digest}/upload?app=shop`);
  };
  await using run = await laptop({}, meddle);
  expect(await upload(run.options)).toEqual({ uploadedBytes: bytes.length, reusedBytes: 0 });
  expect(await run.stored()).toBe(true);
});

test("an upload that somebody completes meanwhile is done", async () => {
  let completed = 0;
  const meddle: Meddle = async (path) => {
    if (path.endsWith("/multipart/init") && completed++ === 0) await run.aether.store("shop", bytes);
  };
  await using run = await laptop({}, meddle);
  expect(await upload(run.options)).toEqual({ uploadedBytes: 0, reusedBytes: bytes.length });
});

test("bytes that were joined before the server died are completed, and not sent again (K4)", async () => {
  await using run = await laptop();
  await sendPart(run.aether, 1, 0, 6 * mebibyte);
  await sendPart(run.aether, 2, 6 * mebibyte, bytes.length);
  const { body } = await run.aether.send("POST", "/artifacts/multipart/init", request);
  await run.aether.storage.completeMultipart(
    body.storage_key,
    body.upload_id,
    await run.aether.storage.listParts(body.storage_key, body.upload_id),
  );
  expect(await upload(run.options)).toEqual({ uploadedBytes: 0, reusedBytes: bytes.length });
  expect(await run.stored()).toBe(true);
});

test("an upload in one piece that is there already is not counted as sent", async () => {
  await using run = await laptop({ multipartThresholdBytes: 50 * mebibyte });
  const { body } = await run.aether.send("POST", "/artifacts/presign", request);
  await put(body, bytes);
  expect(await upload(run.options)).toEqual({ uploadedBytes: 0, reusedBytes: bytes.length });
  expect(await run.stored()).toBe(true);
});

test("a server that takes one upload at a time is waited for, and asked again with its own pause", async () => {
  await using run = await laptop({ maxConcurrentUploads: 1 });
  expect(await upload(run.options)).toEqual({ uploadedBytes: bytes.length, reusedBytes: 0 });
  expect(run.told.filter((line) => line.startsWith("busy"))).not.toEqual([]);
  expect(run.told.filter((line) => line.startsWith("retry"))).toEqual([]);
}, 180_000);

/** Presigned URLs point to where nothing listens. */
const storageIsAway: Meddle = (path, answer) => {
  const away = (url: string) => url.replace(/:\d+\//, ":1/");
  if (path.endsWith("/presign-part")) return { ...(answer as object), url: away((answer as { url: string }).url) };
  if (!path.endsWith("/presign")) return undefined;
  const { upload_url } = answer as { upload_url: string | null };
  return { ...(answer as object), upload_url: upload_url === null ? null : away(upload_url) };
};

test.each([
  ["in one piece", 50 * mebibyte],
  ["in parts", mebibyte],
])(
  "a storage that cannot be reached %s is passed by where the server allows it (REG-E13)",
  async (_way, threshold) => {
    await using run = await laptop({ directUpload: true, multipartThresholdBytes: threshold }, storageIsAway);
    expect(await upload(run.options)).toEqual({
      uploadedBytes: bytes.length,
      reusedBytes: 0,
      note: "sent through the server: the storage 127.0.0.1:1 could not be reached",
    });
    expect(run.told.filter((line) => line.startsWith("fallback"))).toHaveLength(1);
    expect(await run.stored()).toBe(true);
  },
  30_000,
);

test("where the server does not allow it, the error says what to set", async () => {
  await using run = await laptop({}, storageIsAway);
  const error = await failureOf(upload({ ...run.options, patienceMs: 1 }));
  expect(error).toMatchObject({ code: "unreachable", exitCode: 40, details: { storage: "127.0.0.1:1" } });
  expect(error.hint).toContain("AETHER_DIRECT_UPLOAD=1");
  expect(await run.stored()).toBe(false);
}, 180_000);

test("an artifact that is too large for the server is not sent", async () => {
  await using run = await laptop({ maxArtifactSizeBytes: mebibyte });
  const error = await failureOf(uploadThroughServer(run.options));
  expect(error).toMatchObject({ code: "size_exceeded", message: expect.stringContaining("12.6 MB") });
});

test.each([
  ["no byte moves", { open: (socket: { pause(): void }) => socket.pause(), data() {} }, { stallMs: 50 }],
  ["no answer comes", { data() {} }, { answerMs: 50 }],
])("an upload is given up when %s, and may be tried again", async (_what, socket, patience) => {
  await using run = await laptop();
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
  const url = `http://127.0.0.1:${silent.port}/x`;
  const error = await failureOf(putBytes({ ...run.options, headers: {}, url, from: 0, to: bytes.length, ...patience }));
  silent.stop(true);
  expect(error).toMatchObject({ code: "unreachable", message: expect.stringContaining("it stalled") });
  expect(isTransient(error)).toBe(true);
});
