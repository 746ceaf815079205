import { expect, test } from "bun:test";
import { parseTraceparent } from "../../src/server/middleware/trace.ts";
import { apiToken, createHarness, digestOf, someBytes } from "../harness/control-plane.ts";
import { adminToken, bearer, createGuardedHarness } from "../harness/tokens.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

test.each([
  [`00-${traceId}-${span}-01`, { traceId, flags: "01" }],
  [`00-${traceId}-${span}-00`, { traceId, flags: "00" }],
  [`00-${traceId}-${span}-ff`, { traceId, flags: "01" }],
  [`cc-${traceId}-${span}-01-what-comes-later`, { traceId, flags: "01" }],
  [`00-${traceId}-${span}-01-more`, undefined],
  [`ff-${traceId}-${span}-01`, undefined],
  [`00-${"0".repeat(32)}-${span}-01`, undefined],
  [`00-${traceId}-${"0".repeat(16)}-01`, undefined],
  [`00-${traceId.toUpperCase()}-${span}-01`, undefined],
  [`00-${traceId}-${span}`, undefined],
  ["", undefined],
  [undefined, undefined],
])("the traceparent %p is read as %p", (header, expected) => {
  expect(parseTraceparent(header)).toEqual(expected);
});

test("the caller's trace and request id are returned, logged, and stand in the error", async () => {
  await using aether = await createHarness();
  const headers = { traceparent: `00-${traceId}-${span}-01`, "x-request-id": "req-1", "x-trace-id": "another" };
  const answer = await aether.send("GET", "/apps/ghost", undefined, headers);
  expect(answer.headers.get("x-request-id")).toBe("req-1");
  expect(answer.headers.get("x-trace-id")).toBe(traceId);
  expect(answer.headers.get("traceparent")).toMatch(new RegExp(`^00-${traceId}-(?!${span})[0-9a-f]{16}-01$`));
  expect(answer.body.request_id).toBe("req-1");
  const logged = aether.lines.map((line) => JSON.parse(line)).filter(({ message }) => message === "request");
  expect(logged).toMatchObject([{ path: "/apps/ghost", status: 404, request_id: "req-1", trace_id: traceId }]);
});

test("without a trace one is made, and what is no id is replaced", async () => {
  await using aether = await createHarness();
  const none = await aether.send("GET", "/health");
  expect(none.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(none.headers.get("traceparent")).toContain(`00-${none.headers.get("x-trace-id")}-`);
  const bad = await aether.send("GET", "/health", undefined, { "x-request-id": "a b", "x-trace-id": "<script>" });
  expect(bad.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(bad.headers.get("x-trace-id")).toMatch(/^[0-9a-f]{32}$/);
  const own = await aether.send("GET", "/health", undefined, { "x-trace-id": "build:42" });
  expect([own.headers.get("x-trace-id"), own.headers.get("traceparent")]).toEqual(["build:42", null]);
});

test.each(["/health", "/docs/getting-started", "/openapi.json", "/apps", "/nowhere", "/apps/Not_A_Name"])(
  "the answer of %s carries ids and headers that tie a browser's hands",
  async (path) => {
    await using aether = await createHarness();
    const { headers } = await aether.send("GET", path);
    const policy = headers.get("content-security-policy") ?? "";
    for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(rule);
    const allowed = Object.fromEntries(
      policy.split("; ").map((rule) => [rule.split(" ")[0], rule.split(" ").slice(1)]),
    );
    expect(allowed["script-src"]).toEqual(["'self'"]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("strict-transport-security")).toBeNull();
    expect(headers.get("x-trace-id")).not.toBeNull();
    expect(headers.get("access-control-allow-origin")).toBeNull();
  },
);

const lineOf = (line: string) => ({
  time: "2026-01-01T00:00:00Z",
  pod: "a",
  container: "app",
  stream: "stdout" as const,
  line,
});

const console_ = "https://console.example";

test.each([true, false])("pages of allowed origins may use the API, with tokens demanded: %p", async (guarded) => {
  await using aether = await createHarness({
    tokens: guarded ? [apiToken(adminToken, "admin")] : [],
    http: { corsAllowedOrigins: [console_] },
  });
  const token = guarded ? bearer(adminToken) : {};
  const preflight = await aether.send("OPTIONS", "/artifacts/presign", undefined, {
    origin: console_,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe(console_);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
  expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
  const headers = { ...token, origin: console_, "sec-fetch-site": "cross-site" };
  const answer = await aether.send("POST", "/apps", { name: "shop" }, headers);
  expect(answer.status).toBe(201);
  expect(answer.headers.get("access-control-allow-origin")).toBe(console_);
  expect(answer.headers.get("vary")).toContain("Origin");
  const foreign = await aether.send("GET", "/apps", undefined, { ...token, origin: `${console_}.evil.example` });
  expect(foreign.status).toBe(guarded ? 200 : 403);
  expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
});

test("every path of the document answers 405 to what it does not take, and names what it does", async () => {
  await using aether = await createHarness();
  const { body } = await aether.send("GET", "/openapi.json");
  const templates = Object.entries(body.paths as Record<string, object>);
  for (const [template, methods] of templates) {
    if (["/health", "/readyz", "/startupz"].includes(template)) continue; // below
    const path = template.replace("{digest}", digestOf(someBytes("x"))).replaceAll(/\{\w+\}/g, "x");
    const taken = Object.keys(methods);
    const allow = [...taken, ...(taken.includes("get") ? ["head"] : [])].map((method) => method.toUpperCase());
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allow.includes(method)) continue;
      const answer = await aether.send(method, path);
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 405, "method_not_allowed"]);
      expect(answer.headers.get("allow")?.split(", ")).toEqual(expect.arrayContaining(allow));
    }
  }
  for (const path of ["/health", "/docs/getting-started", "/openapi.json"]) {
    expect(await aether.send("DELETE", path)).toMatchObject({ status: 405, body: { code: "method_not_allowed" } });
  }
  expect(await aether.send("DELETE", "/nowhere")).toMatchObject({ status: 404, body: { code: "not_found" } });
});

test("HEAD answers as GET does, without a body", async () => {
  await using aether = await createHarness();
  const { digest } = await aether.store("shop", someBytes("one"));
  aether.runtime.lines.set("shop", [lineOf("hello")]);
  const paths = ["/health", "/apps", "/apps/shop", "/apps/shop/logs", `/artifacts/${digest}`, "/docs/getting-started"];
  for (const path of [...paths, `/artifacts/${digest}/download`, "/apps/ghost"]) {
    const [head, get] = [await aether.send("HEAD", path), await aether.send("GET", path)];
    expect([path, head.status, head.body]).toEqual([path, get.status, ""]);
    expect(head.headers.get("content-type")).toBe(get.headers.get("content-type"));
    expect(head.headers.get("x-aether-size")).toBe(get.headers.get("x-aether-size"));
  }
});

test("a handler that hangs is answered for, and a stream is not cut", async () => {
  await using aether = await createHarness({ http: { timeLimits: { answerMs: 100, transferMs: 100 } } });
  aether.control.runtime.platform = () => new Promise(() => {});
  expect(await aether.send("GET", "/capabilities")).toMatchObject({
    status: 503,
    body: { code: "service_unavailable", hint: expect.stringContaining("again") },
  });
  await aether.send("POST", "/apps", { name: "shop" });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  aether.control.runtime.logs = async function* () {
    yield lineOf("first");
    await released;
    yield lineOf("last");
  };
  const stream = await fetch(`${aether.api}/apps/shop/logs?follow=1`);
  // Another request is cut after the stream began: the limit of both has passed then.
  expect((await aether.send("GET", "/capabilities")).status).toBe(503);
  release();
  expect(await stream.text()).toBe("first\nlast\n");
});

test("removing an app may take longer than another answer", async () => {
  await using aether = await createHarness({ http: { timeLimits: { answerMs: 100, transferMs: 60_000 } } });
  await aether.send("POST", "/apps", { name: "shop" });
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { remove } = aether.control.runtime;
  aether.control.runtime.remove = async (app) => {
    await ended;
    return remove(app);
  };
  const removing = aether.send("DELETE", "/apps/shop");
  // Another request is cut meanwhile: the limit of both has passed then.
  aether.control.runtime.platform = () => new Promise(() => {});
  expect((await aether.send("GET", "/capabilities")).status).toBe(503);
  end();
  expect((await removing).status).toBe(204);
});

test("a flood of one token is refused with the time to wait, and hinders no other token or app", async () => {
  await using aether = await createGuardedHarness({ http: { rateLimit: { requests: 5, seconds: 10 } } });
  const shop = await aether.makeToken({ role: "deployer", apps: ["shop"] });
  const blog = await aether.makeToken({ role: "deployer", apps: ["blog"] });
  const presign = (token: string, app_name: string) =>
    aether.as(token, "POST", "/artifacts/presign", { app_name, digest: digestOf(someBytes("x")), size_bytes: 1 });
  const flood = await Promise.all(Array.from({ length: 50 }, () => presign(shop.token, "shop")));
  expect(flood.filter(({ status }) => status === 200)).toHaveLength(5);
  const refused = flood.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(45);
  expect(refused[0]?.body).toMatchObject({ code: "rate_limited", hint: "Try again in 2 s." });
  expect(refused[0]?.headers.get("retry-after")).toBe("2");
  for (let write = 0; write < 5; write++) expect((await presign(blog.token, "blog")).status).toBe(200);
  expect((await aether.as(shop.token, "GET", "/apps")).status).toBe(200); // reading is never counted
  aether.advance(2_000);
  expect((await presign(shop.token, "shop")).status).toBe(200);
  expect((await presign(shop.token, "shop")).status).toBe(429);
});

test("the writes to an app are counted whoever sends them, and not those that are refused", async () => {
  await using aether = await createGuardedHarness({ http: { rateLimit: { requests: 4, seconds: 60 } } });
  const [one, two, foreign] = [
    await aether.makeToken({ role: "deployer" }),
    await aether.makeToken({ role: "deployer" }),
    await aether.makeToken({ role: "deployer", apps: ["blog"] }),
  ];
  const presign = (token: string) =>
    aether.as(token, "POST", "/artifacts/presign", { app_name: "shop", digest: digestOf(someBytes("x")) });
  const statuses = [];
  for (const { token } of [foreign, foreign, foreign, one, one, one, two, two]) {
    statuses.push((await presign(token)).status);
  }
  expect(statuses).toEqual([404, 404, 404, 200, 200, 200, 200, 429]);
});

test("waiting is over when the time is, by the server's own clock", async () => {
  await using aether = await createHarness({ http: { rateLimit: { requests: 1, seconds: 1 } } });
  const create = async (name: string) => (await aether.send("POST", "/apps", { name })).status;
  expect([await create("one"), await create("two")]).toEqual([201, 429]);
  aether.advance(-3_600_000); // a clock that is set back locks nobody out
  expect(await create("two")).toBe(429);
  aether.advance(1_000);
  expect(await create("two")).toBe(201);
});
