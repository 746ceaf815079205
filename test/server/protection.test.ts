import { expect, test } from "bun:test";
import { connect } from "node:net";
import { agentToken, apiToken, createHarness, digestOf, someBytes } from "../harness/control-plane.ts";

const presign = { app_name: "shop", digest: digestOf(someBytes("x")), size_bytes: 1 };

test.each([
  ["a foreign page", { origin: "https://evil.example" }],
  ["a sandboxed page", { origin: "null" }],
  ["a page of another port", { origin: "http://127.0.0.1:1" }],
  ["a cross-site request without an origin", { "sec-fetch-site": "cross-site" }],
  ["a name rebound to this machine", { host: "evil.example" }],
  ["the right name and a wrong port", { host: "127.0.0.1:1" }],
])("without tokens, %s is refused", async (_, headers) => {
  await using aether = await createHarness();
  for (const [method, path, body] of [
    ["POST", "/artifacts/presign", presign],
    ["GET", "/apps", undefined],
  ] as const) {
    expect(await aether.send(method, path, body, headers)).toMatchObject({ status: 403, body: { code: "forbidden" } });
  }
  expect((await aether.send("GET", "/apps")).body).toEqual([]);
});

test("the server's own pages and this machine's names are served", async () => {
  await using aether = await createHarness();
  expect((await aether.send("GET", "/apps", undefined, { origin: aether.api })).status).toBe(200);
  const port = new URL(aether.api).port;
  expect((await aether.send("GET", "/apps", undefined, { host: `localhost:${port}` })).status).toBe(200);
});

test.each(["text/plain", "application/x-www-form-urlencoded", ""])("a body of type %p is refused", async (type) => {
  await using aether = await createHarness();
  const answer = await aether.send("POST", "/artifacts/presign", JSON.stringify(presign), { "content-type": type });
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
  expect((await aether.send("GET", "/apps")).body).toEqual([]);
});

const admin = "admin-token-0123456789";
const reader = "reader-token-0123456789";
const tokens = [apiToken(admin, "admin"), apiToken(reader, "reader")];

test.each([
  ["no token", {}, 401, 401],
  ["a wrong token", { authorization: "Bearer wrong-token-0123456789" }, 401, 401],
  ["another scheme", { authorization: `Basic ${admin}` }, 401, 401],
  ["a reader's token", { authorization: `Bearer ${reader}` }, 200, 403],
  ["an admin's token", { authorization: `Bearer ${admin}` }, 200, 200],
])("with tokens demanded, %s reads with %d and writes with %d", async (_, headers, reads, writes) => {
  await using aether = await createHarness({ tokens });
  expect((await aether.send("GET", "/apps", undefined, headers as Record<string, string>)).status).toBe(reads);
  expect((await aether.send("POST", "/artifacts/presign", presign, headers as Record<string, string>)).status).toBe(
    writes,
  );
  expect((await aether.send("GET", "/health")).status).toBe(200);
});

test("an agent's token opens downloads and nothing else", async () => {
  await using aether = await createHarness({ tokens });
  const headers = { authorization: `Bearer ${agentToken}` };
  expect((await aether.send("GET", `/artifacts/${presign.digest}/download`, undefined, headers)).status).toBe(404);
  expect((await aether.send("GET", `/artifacts/${presign.digest}`, undefined, headers)).status).toBe(401);
  expect((await aether.send("GET", "/apps", undefined, headers)).status).toBe(401);
});

test("no token and no signature reaches the log", async () => {
  await using aether = await createHarness({ tokens });
  const { body } = await aether.send("POST", "/artifacts/presign", presign, { authorization: `Bearer ${admin}` });
  await aether.send("GET", `/apps?token=${admin}`, undefined, { authorization: "Bearer nobody-0123456789abcdef" });
  const log = aether.lines.join("");
  expect(log).toContain("/artifacts/presign");
  for (const secret of [
    admin,
    "nobody-0123456789abcdef",
    new URL(body.upload_url).searchParams.get("signature") ?? "none",
  ]) {
    expect(log).not.toContain(secret);
  }
});

test.each([
  ["GET", "/nowhere", 404, "not_found"],
  ["GET", "/apps/ghost", 404, "not_found"],
  ["GET", "/apps/Not_A_Name", 400, "bad_request"],
  ["GET", "/apps?limit=0", 400, "bad_request"],
  ["GET", "/apps?limit=1001", 400, "bad_request"],
  ["GET", "/deployments/ghost", 404, "not_found"],
  ["GET", "/artifacts/xyz", 400, "invalid_digest"],
  ["GET", "/docs/ghost", 404, "not_found"],
])("%s %s answers %d %s in the envelope", async (method, path, status, code) => {
  await using aether = await createHarness();
  expect(await aether.send(method, path)).toMatchObject({ status, body: { code, request_id: expect.any(String) } });
});

test.each([
  ["Host: ::", "GET / HTTP/1.1\r\nHost: ::\r\n\r\n"],
  ["Host: a b", "GET /apps HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["no Host", "GET /apps HTTP/1.0\r\n\r\n"],
  ["Bun's own page", "GET /bun:info HTTP/1.1\r\nHost: localhost\r\n\r\n"],
])("a request with %s shows nothing of the inside", async (_, request) => {
  await using aether = await createHarness();
  const { promise, resolve } = Promise.withResolvers<string>();
  let seen = "";
  const socket = connect(Number(new URL(aether.api).port), "127.0.0.1", () => socket.write(request));
  socket.on("data", (chunk) => {
    seen += chunk;
    if (seen.includes("\r\n\r\n")) setImmediate(() => socket.end());
  });
  socket.on("close", () => resolve(seen));
  const answer = await promise;
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect(answer).not.toMatch(/stack|Bun v|import |src\//);
});

test("a body beyond the limit is refused before it is read", async () => {
  await using aether = await createHarness();
  const answer = await aether.send(
    "POST",
    "/artifacts/presign",
    JSON.stringify({ ...presign, padding: "x".repeat(2_000_000) }),
  );
  expect(answer).toMatchObject({ status: 413, body: { code: "payload_too_large" } });
});

test("health, readiness and start-up answer, and readiness names what is degraded", async () => {
  await using aether = await createHarness();
  for (const path of ["/health", "/readyz", "/startupz"]) {
    expect(await aether.send("GET", path)).toMatchObject({ status: 200, body: { status: "ok" } });
  }
  aether.control.runtime.check = async () => {
    throw new Error("no node here");
  };
  expect(await aether.send("GET", "/readyz")).toMatchObject({
    status: 200,
    body: { status: "degraded", degraded: ["runtime: no node here"] },
  });
});

test("the documentation and the API's document are served", async () => {
  await using aether = await createHarness();
  expect((await aether.send("GET", "/docs/getting-started")).body).toContain("<h1>Getting started</h1>");
  const { body } = await aether.send("GET", "/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  expect(Object.keys(body.paths)).toContain("/artifacts/presign");
});
