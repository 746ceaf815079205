import { afterAll, expect, test } from "bun:test";
import { connect } from "node:net";
import { createHarness, digestOf, someBytes } from "../harness/control-plane.ts";
import { openRequest, send, statusOf } from "../harness/raw-http.ts";

// What is sent here must change nothing, so that one server is enough for all of it.
const aether = await createHarness();
afterAll(() => aether[Symbol.asyncDispose]());

const digest = digestOf(someBytes("x"));
const fields = `"app_name":"shop","digest":"${digest}"`;
const inside = /at .*\(|node_modules|\/src\/|SyntaxError|TypeError|ZodError|drizzle|select |insert /;

interface Answer {
  status: number;
  body: { code: string; message: string; request_id: string };
}

/** A refusal: 4xx in the envelope, with nothing of the inside, and nothing in the log that calls for help. */
function expectRefusal(answer: Answer, code: string | RegExp): void {
  expect(answer.body).toMatchObject({ code: expect.stringMatching(code), request_id: expect.any(String) });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(JSON.stringify(answer.body)).not.toMatch(inside);
  expect(aether.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
}

const bodies: [what: string, body: string | Uint8Array][] = [
  ["nothing", ""],
  ["half an object", `{${fields}`],
  ["two values", `{${fields}}{}`],
  ["a comment", `{/* hello */${fields}}`],
  ["a trailing comma", `{${fields},}`],
  ["single quotes", `{'app_name':'shop'}`],
  ["a byte order mark alone", "\ufeff"],
  ["a list", "[]"],
  ["null", "null"],
  ["a text", '"shop"'],
  ["NaN", `{${fields},"size_bytes":NaN}`],
  ["Infinity", `{${fields},"size_bytes":Infinity}`],
  ["1e400", `{${fields},"size_bytes":1e400}`],
  ["1e400 in a field that nobody reads", `{${fields},"size_bytes":1,"more":[{"x":-1e400}]}`],
  ["a name given twice", `{${fields},"app_name":"blog"}`],
  ["a name given twice, once in disguise", `{${fields},"\\u0061pp_name":"blog"}`],
  ["a name given twice, deep inside", `{${fields},"more":[{"a":1,"a":1}]}`],
  ["__proto__", `{${fields},"__proto__":{"size_bytes":1}}`],
  ["__proto__, escaped", `{${fields},"\\u005f_proto__":{}}`],
  ["constructor.prototype as the app", `{"app_name":{"constructor":{"prototype":{}}},"digest":"${digest}"}`],
  ["half a surrogate pair", `{${fields},"signature":"\\ud800"}`],
  ["the other half", `{${fields},"signature":"\\udc00x"}`],
  ["half a pair in a name", `{${fields},"\\ud800":1}`],
  ["NUL", `{${fields},"signature":"a\\u0000b"}`],
  ["NUL as it is", `{${fields},"signature":"a\u0000b"}`],
  ["bytes that are no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
  ["an overlong slash", new Uint8Array([0x22, 0xc0, 0xaf, 0x22])],
  ["UTF-16", new Uint8Array(Buffer.from(`{${fields}}`, "utf16le"))],
  ["lists in lists without end", "[".repeat(100_000)],
  ["lists in lists, closed", `{${fields},"more":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
  ["objects in objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
  ["a hundred thousand names", `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join(",")}}`],
];

/** Sizes that no artifact can have. */
const sizes: [what: string, body: string][] = [
  ["2^53", `{${fields},"size_bytes":9007199254740992}`],
  ["2^63", `{${fields},"size_bytes":9223372036854775808}`],
  ["a hundred digits", `{${fields},"size_bytes":${"9".repeat(100)}}`],
  ["a negative size", `{${fields},"size_bytes":-1}`],
  ["minus nothing", `{${fields},"size_bytes":-0}`],
  ["half a byte", `{${fields},"size_bytes":0.5}`],
  ["an empty artifact", `{${fields},"size_bytes":0}`],
  ["a size as text", `{${fields},"size_bytes":"1"}`],
  ["a size that is true", `{${fields},"size_bytes":true}`],
];

const uploads = ["presign", "complete", "multipart/init", "multipart/presign-part", "multipart/complete"];
const sized = uploads.map((path) => `/artifacts/${path}`);
const writes = [...sized, "/apps", "/deployments", "/tokens", "/webhooks"];

test.each([
  ...bodies.map(([what, body]) => ({ what, body, paths: writes })),
  ...sizes.map(([what, body]) => ({ what, body, paths: sized })),
])("a body of $what is refused by every route that takes one", async ({ body, paths }) => {
  for (const path of paths) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${aether.api}${path}`, { method: "POST", headers, body });
    const answer = { status: response.status, body: await response.json() } as Answer;
    expectRefusal(answer, /^(bad_request|invalid_digest|missing_digest)$/);
  }
  expect((await aether.send("GET", "/apps")).body).toEqual([]);
});

test.each([
  ["10,001 parts", "/artifacts/multipart/complete", { parts: Array(10_001).fill({ part_number: 1, etag: "x" }) }],
  ["no parts", "/artifacts/multipart/complete", { parts: [] }],
  ["part 0", "/artifacts/multipart/presign-part", { part_number: 0 }],
  ["part 10,001", "/artifacts/multipart/presign-part", { part_number: 10_001 }],
  ["part 1.5", "/artifacts/multipart/presign-part", { part_number: 1.5 }],
])("%s are refused", async (_, path, more) => {
  const body = { app_name: "shop", digest, upload_id: "x", size_bytes: 1, part_number: 1, ...more };
  expectRefusal(await aether.send("POST", path, body), "bad_request");
});

const names = [
  "",
  "../x",
  "a/b",
  "A",
  "shop\n",
  " shop",
  "a".repeat(51),
  "a".repeat(64),
  "-a",
  "a-",
  "a--b",
  "1a",
  "xn--80ak6aa92e",
  "kube-system",
  "kubernetes",
  "aether",
  "aether-x",
  "a_b",
  "a.b",
  "a*",
  "a?",
  "%",
  "'; drop table apps; --",
  "аpp", // a Cyrillic а
  "ａpp", // a full-width a
  "__proto__",
];

test.each(names)("the app name %j is refused wherever it is given", async (app) => {
  const url = encodeURIComponent(app);
  const asked = [
    await aether.send("POST", "/apps", { name: app }),
    await aether.send("POST", "/artifacts/presign", { app_name: app, digest, size_bytes: 1 }),
    await aether.send("POST", "/deployments", { app_name: app, digest }),
    await aether.send("DELETE", `/artifacts/${digest}/upload?app=${url}`),
    await aether.send("GET", `/artifacts?app=${url}`),
    await aether.send("GET", `/artifacts/${digest}/download?app=${url}`),
    await aether.send("GET", `/deployments?app=${url}`),
    await aether.send("POST", "/tokens", { name: "x", role: "reader", apps: [app] }),
  ];
  for (const answer of asked) expectRefusal(answer, "bad_request");
  if (app !== "") expectRefusal(await aether.send("GET", `/apps/${url}/deployments`), /^(bad_request|not_found)$/);
  expect((await aether.send("GET", "/apps")).body).toEqual([]);
});

test.each([
  ["upper case", digest.toUpperCase()],
  ["63 characters", digest.slice(1)],
  ["65 characters", `${digest}0`],
  ["another algorithm", `sha512:${digest}`],
  ["a prefix", `sha256:${digest}`],
  ["a newline", `${digest}\n`],
  ["a space", ` ${digest}`],
  ["no hex", "g".repeat(64)],
  ["full-width digits", "０".repeat(64)],
  ["a wildcard", "%".repeat(64)],
  ["a way up", `../../${digest.slice(6)}`],
])("a digest with %s is refused wherever it is given", async (_, wrong) => {
  const url = encodeURIComponent(wrong);
  const asked = [
    await aether.send("GET", `/artifacts/${url}`),
    await aether.send("GET", `/artifacts/${url}/meta`),
    await aether.send("GET", `/artifacts/${url}/download`),
    await aether.send("DELETE", `/artifacts/${url}/upload?app=shop`),
    await aether.send("POST", "/artifacts/presign", { app_name: "shop", digest: wrong, size_bytes: 1 }),
    await aether.send("POST", "/artifacts/complete", { app_name: "shop", digest: wrong, size_bytes: 1 }),
  ];
  for (const answer of asked) expectRefusal(answer, "invalid_digest");
});

test.each([
  ["/%2e%2e/%2e%2e/etc/passwd"],
  ["/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd"],
  ["/docs/..%5c..%5cwindows"],
  ["/docs/__proto__"],
  ["/docs/constructor"],
  ["/apps/%2e%2e/nowhere"],
  ["/apps/%00"],
  ["/apps/shop%00"],
  ["/apps?limit=1&offset=%00"],
  ["/artifacts?app=%00"],
  ["/apps/%ff%fe"],
  ["/apps/%"],
  ["/apps/%zz"],
  ["/apps/shop/logs?tail_lines=-1"],
  ["/apps/shop/logs?tail_lines=1e400"],
  ["/apps?limit=1e400"],
  ["/apps?limit=9223372036854775808"],
  ["/apps?offset=9223372036854775808"],
  ["/apps?offset=-1"],
  ["/apps?limit="],
  ["/apps?limit=1&limit=2"],
  ["/apps?limit=NaN"],
  ["/deployments/%27%20or%201=1--"],
  ["/deployments/%00"],
  ["/tokens/%2e%2e/%2e%2e/etc/passwd"],
  ["//apps"],
  ["/apps/"],
  ["/Apps"],
])("GET %s is refused", async (path) => {
  expectRefusal((await raw(`GET ${path} HTTP/1.1\r\n`)) as Answer, /^(bad_request|not_found|method_not_allowed)$/);
});

test.each(["application/xml", "application/json-patch+json", "text/json", "application/jsonx", ",application/json"])(
  "a body of type %s is refused",
  async (type) => {
    expectRefusal(await aether.send("POST", "/apps", '{"name":"shop"}', { "content-type": type }), "bad_request");
  },
);

test("a form that is none, and a form where JSON belongs, are refused", async () => {
  const named = { "x-aether-artifact-digest": digest };
  const multipart = { ...named, "content-type": "multipart/form-data; boundary=x" };
  expectRefusal(await aether.send("POST", "/artifacts", "no form at all", multipart), "bad_request");
  expectRefusal(
    await aether.send("POST", "/artifacts", "--x\r\n\r\n", { ...named, "content-type": "multipart/form-data" }),
    "bad_request",
  );
  const form = '--x\r\ncontent-disposition: form-data; name="name"\r\n\r\nshop\r\n--x--\r\n';
  expectRefusal(await aether.send("POST", "/apps", form, multipart), "bad_request");
});

test.each([
  ["a header of 100 KB", `x-large: ${"a".repeat(100_000)}\r\n`],
  ["10,000 headers", Array.from({ length: 10_000 }, (_, at) => `x-${at}: 1\r\n`).join("")],
])("%s ends at the listener, before any of it is kept", async (_, headers) => {
  expect(await raw(`GET /health HTTP/1.1\r\n${headers}`)).toEqual({ status: 431, body: null });
  expect((await aether.send("GET", "/health")).status).toBe(200);
});

test("a request with two lengths, or with a length and chunks, is not guessed at", async () => {
  for (const lengths of [
    "content-length: 2\r\ncontent-length: 20",
    "content-length: 2\r\ntransfer-encoding: chunked",
  ]) {
    const { status } = await raw(`POST /apps HTTP/1.1\r\ncontent-type: application/json\r\n${lengths}\r\n`, "{}");
    expect(status).toBe(400);
  }
});

test("a gigabyte is refused by its announced length, and when it is not announced as soon as it is too much", async () => {
  const request = { url: `${aether.api}/artifacts/presign`, method: "POST" };
  const type = { "content-type": "application/json" };
  const announced = await openRequest({ ...request, headers: { ...type, "content-length": String(1024 ** 3) } });
  expect(await statusOf(announced)).toBe(413);
  const chunked = await openRequest({ ...request, headers: { ...type, "transfer-encoding": "chunked" } });
  const answer = statusOf(chunked);
  const piece = `10000\r\n${"x".repeat(0x10000)}\r\n`;
  let sent = 0;
  let ended = false;
  void answer.then(() => {
    ended = true;
  });
  while (!ended && sent < 1024 ** 3) {
    await send(chunked, piece).catch(() => {
      ended = true;
    });
    sent += 0x10000;
  }
  // Whoever goes on sending may lose the answer to the reset that follows it.
  expect([413, undefined]).toContain(await answer);
  chunked.destroy();
  expect(sent).toBeLessThan(64 * 1024 ** 2);
});

/** Sends a head as it is written, and reads the answer's status and JSON. */
async function raw(head: string, body = ""): Promise<{ status: number; body: unknown }> {
  const { host, hostname, port } = new URL(aether.api);
  const socket = connect(Number(port), hostname);
  socket.write(`${head}host: ${host}\r\nconnection: close\r\n\r\n${body}`);
  let text = "";
  try {
    for await (const chunk of socket) text += chunk;
  } catch {
    // it may be cut while we still send; what was answered counts
  }
  const json = text.split("\r\n\r\n")[1] ?? "";
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]),
    body: json.startsWith("{") ? JSON.parse(json) : null,
  };
}

test.skipIf(process.env.AETHER_TEST_FULL !== "1")(
  "a head that never ends is given up, however steadily it drips",
  async () => {
    const { hostname, port } = new URL(aether.api);
    const socket = connect(Number(port), hostname);
    socket.write("GET /health HTTP/1.1\r\n");
    const dripping = setInterval(() => socket.write("x: 1\r\n"), 500);
    let answered = "";
    try {
      for await (const chunk of socket) answered += chunk;
    } catch {
      // a reset is as good an end
    } finally {
      clearInterval(dripping);
    }
    expect(answered).toBe("");
    expect((await aether.send("GET", "/health")).status).toBe(200);
  },
  60_000,
);
