import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { type FetchOptions, fetchArtifact } from "../../src/agent/fetch-artifact.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const bytes = Buffer.alloc(3_000_000, "artifact");
const digest = createHash("sha256").update(bytes).digest("hex");

/** Each answer is given once, in order; the last one again and again. */
async function startServer(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return {
    origin,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function fetchFrom(origin: string, more: Partial<FetchOptions> = {}) {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "download");
  const signal = new AbortController().signal;
  const retryMs = [1, 1, 1];
  const result = await fetchArtifact({
    downloadUrl: `${origin}/download`,
    digest,
    storageOrigins: [],
    path,
    signal,
    retryMs,
    ...more,
  });
  return {
    ...result,
    saved: createHash("sha256")
      .update(await readFile(path))
      .digest("hex"),
  };
}

const whole = (_: IncomingMessage, response: ServerResponse) => response.end(bytes);
const status = (code: number) => (_: IncomingMessage, response: ServerResponse) => void response.writeHead(code).end();
const redirect = (location: string) => (_: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(307, { location }).end();

test("an artifact is saved as it was sent", async () => {
  await using server = await startServer(whole);
  expect(await fetchFrom(server.origin)).toEqual({ bytes: bytes.length, saved: digest });
});

test("a redirect is followed to the storage, without what authorised the first request", async () => {
  await using storage = await startServer(whole);
  await using server = await startServer(redirect(`${storage.origin}/object?signature=1`));
  const result = await fetchFrom(server.origin, { storageOrigins: [storage.origin], authorization: "Bearer secret" });
  expect(result.saved).toBe(digest);
  expect(server.requests[0]?.headers.authorization).toBe("Bearer secret");
  expect(storage.requests[0]?.headers).not.toHaveProperty("authorization");
});

test("a redirect to anywhere else is refused without asking there", async () => {
  await using other = await startServer(whole);
  await using server = await startServer(redirect(`${other.origin}/object`));
  await expect(fetchFrom(server.origin, { storageOrigins: ["http://127.0.0.1:1"] })).rejects.toMatchObject({
    reason: "artifact_not_found",
    message: expect.stringContaining("which is not the storage"),
  });
  expect([other.requests.length, server.requests.length]).toEqual([0, 1]);
});

test("a second redirect is refused", async () => {
  await using storage = await startServer(redirect("http://127.0.0.1:1/"));
  await using server = await startServer(redirect(`${storage.origin}/object`));
  await expect(fetchFrom(server.origin, { storageOrigins: [storage.origin] })).rejects.toMatchObject({
    reason: "artifact_not_found",
  });
});

test.each([401, 403, 404, 410])("an answer of %d is a verdict at once", async (code) => {
  await using server = await startServer(status(code));
  await expect(fetchFrom(server.origin)).rejects.toMatchObject({ reason: "artifact_not_found" });
  expect(server.requests).toHaveLength(1);
});

test("a presigned URL that expired on the way is asked for once more", async () => {
  await using storage = await startServer(status(403), whole);
  await using server = await startServer(redirect(`${storage.origin}/object`));
  expect((await fetchFrom(server.origin, { storageOrigins: [storage.origin] })).saved).toBe(digest);
  await using closed = await startServer(status(403));
  await using again = await startServer(redirect(`${closed.origin}/object`));
  await expect(fetchFrom(again.origin, { storageOrigins: [closed.origin] })).rejects.toMatchObject({
    reason: "artifact_not_found",
  });
  expect(closed.requests).toHaveLength(2);
});

test.each([
  ["500", status(500)],
  ["503", status(503)],
  ["429", status(429)],
  ["a connection that is cut", (request: IncomingMessage) => void request.socket.destroy()],
  [
    "half a body with its length",
    (request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 1_000_000), () => request.socket.destroy());
    },
  ],
  [
    "half a body in chunks",
    (request: IncomingMessage, response: ServerResponse) => {
      response.write(bytes.subarray(0, 1_000_000), () => request.socket.destroy());
    },
  ],
])("%s is tried again", async (_, fault) => {
  await using server = await startServer(fault, fault, whole);
  expect((await fetchFrom(server.origin)).saved).toBe(digest);
  expect(server.requests).toHaveLength(3);
});

/** Cuts the first transfer in the middle and honours, ignores or refuses to go on from there. */
const cut = (request: IncomingMessage, response: ServerResponse) => {
  response.writeHead(200, { "content-length": bytes.length, etag: '"one"' });
  response.write(bytes.subarray(0, 1_000_000), () => request.socket.destroy());
};

test("a transfer that was cut goes on where it was", async () => {
  await using server = await startServer(cut, (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1]);
    response.writeHead(206, { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    response.end(bytes.subarray(from));
  });
  expect(await fetchFrom(server.origin)).toEqual({ bytes: bytes.length, saved: digest });
  expect(server.requests[1]?.headers).toMatchObject({ "if-match": '"one"' });
});

test("a store that ignores Range, or has another object by now, is read from the beginning", async () => {
  await using ignoring = await startServer(cut, whole);
  expect((await fetchFrom(ignoring.origin)).saved).toBe(digest);
  await using changed = await startServer(cut, status(412), whole);
  expect((await fetchFrom(changed.origin)).saved).toBe(digest);
  expect(changed.requests[2]?.headers).not.toHaveProperty("range");
});

test("two halves that do not belong together are not accepted, and the whole is fetched once more", async () => {
  await using server = await startServer(
    cut,
    (request, response) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1]);
      response.writeHead(206, { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
      response.end(Buffer.alloc(bytes.length - from, "other"));
    },
    whole,
  );
  expect(await fetchFrom(server.origin)).toEqual({ bytes: bytes.length, saved: digest });
  expect(server.requests).toHaveLength(3);
});

test("a transfer that stalls is broken off and tried again", async () => {
  const stall = (_: IncomingMessage, response: ServerResponse) => void response.write(bytes.subarray(0, 1_000));
  await using server = await startServer(stall, whole);
  expect((await fetchFrom(server.origin, { stallMs: 100 })).saved).toBe(digest);
});

test("a server that stays away is a failure that says so", async () => {
  await using server = await startServer(status(503));
  await expect(fetchFrom(server.origin)).rejects.toMatchObject({
    reason: "server_unreachable",
    message: "The artifact cannot be downloaded: the server answered 503.",
  });
  expect(server.requests).toHaveLength(4);
  await expect(fetchFrom("http://127.0.0.1:1")).rejects.toMatchObject({ reason: "server_unreachable" });
});

test.each([0, 1_500_000, bytes.length - 1])("a flipped bit at byte %d is found", async (at) => {
  const wrong = Buffer.from(bytes);
  wrong[at] = (wrong[at] ?? 0) ^ 1;
  await using server = await startServer((_, response) => void response.end(wrong));
  const found = createHash("sha256").update(wrong).digest("hex");
  await expect(fetchFrom(server.origin)).rejects.toMatchObject({
    reason: "digest_mismatch",
    message: expect.stringContaining(`${found}, not ${digest}`),
  });
  expect(server.requests).toHaveLength(1);
});

test("an abort ends the transfer and the waiting", async () => {
  const ending = new AbortController();
  await using server = await startServer((_, response) => {
    response.write("begin", () => ending.abort());
  });
  await expect(fetchFrom(server.origin, { signal: ending.signal })).rejects.toMatchObject({ name: "AbortError" });
});

test("no message holds the query of a presigned URL", async () => {
  await using storage = await startServer(status(404));
  await using server = await startServer(redirect(`${storage.origin}/object?signature=canary`));
  const error = await fetchFrom(server.origin, { storageOrigins: [storage.origin] }).catch((thrown: unknown) => thrown);
  expect(String(error)).not.toContain("canary");
});
