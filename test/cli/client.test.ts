import { expect, test } from "bun:test";
import { createClient } from "../../src/cli/client.ts";
import { createHarness } from "../harness/control-plane.ts";
import { failureOf } from "../harness/failure-of.ts";

const signal = new AbortController().signal;

test("a server that accepts and never answers is asked twice and then given up", async () => {
  let requests = 0;
  const silent = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open() {
        requests += 1;
      },
      data() {},
    },
  });
  try {
    const server = `http://127.0.0.1:${silent.port}`;
    const client = createClient({ server, signal, timeouts: { answerMs: 50, completeMs: 50 } });
    const error = await failureOf(client.apps());
    expect(error).toMatchObject({
      code: "unreachable",
      exitCode: 40,
      message: `The server ${server} did not answer in time.`,
    });
    expect(requests).toBe(2);
  } finally {
    silent.stop(true);
  }
});

test("what is not there may be what the token is not for: who gave one is told so", async () => {
  await using aether = await createHarness();
  const ask = (token?: string) =>
    failureOf(createClient({ server: aether.api, signal, ...(token ? { token } : {}) }).app("shop"));
  const plain = await ask();
  expect(plain).toMatchObject({ code: "not_found", hint: "See aether list, or deploy it first." });
  expect((await ask("some-token")).hint).toBe(
    `${plain.hint} Or this token may not see it: one may be for some apps only.`,
  );
});

test("an answer that begins and never ends is given up as well", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[";
  const stuck = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.write(head) } });
  try {
    const client = createClient({
      server: `http://127.0.0.1:${stuck.port}`,
      signal,
      timeouts: { answerMs: 50, completeMs: 50 },
    });
    expect(await failureOf(client.apps())).toMatchObject({ code: "unreachable", exitCode: 40 });
  } finally {
    stuck.stop(true);
  }
});

const html = new Headers({ "content-type": "text/html" });

test.each([
  ["an HTML page", () => new Response("<h1>It works</h1>", { headers: html })],
  ["an HTML page that is not found", () => new Response("<h1>No</h1>", { status: 404, headers: html })],
  ["JSON of another shape", () => Response.json({ hello: "world" })],
  ["null", () => Response.json(null)],
  ["JSON without its type", () => new Response("[]")],
  ["what claims to be JSON", () => new Response("<h1>", { headers: { "content-type": "application/json" } })],
  ["another program's error", () => Response.json({ code: "nope", message: "No." }, { status: 404 })],
  ["a redirect", () => Response.redirect("https://example.com/", 302)],
])("a server that answers %s is not an aether server, and is asked once", async (_what, answer) => {
  let requests = 0;
  async function ask() {
    requests += 1;
    return answer();
  }
  const fetch = Object.assign(ask, { preconnect() {} });
  const client = createClient({ server: "http://example.com", signal, fetch });
  for (const call of [client.apps(), client.capabilities()]) {
    const error = await failureOf(call);
    expect(error).toMatchObject({ exitCode: 40, message: "http://example.com is not an aether server." });
    expect(error.hint).toContain("--server");
  }
  expect(requests).toBe(2);
});

test("an aether server's own error passes with its code", async () => {
  const body = { code: "not_found", message: "There is no app.", request_id: "r1" };
  const fetch = Object.assign(async () => Response.json(body, { status: 404 }), { preconnect() {} });
  const client = createClient({ server: "http://example.com", signal, fetch });
  expect(await failureOf(client.apps())).toMatchObject({ code: "not_found", exitCode: 20 });
});

test("with patience, a server that is away is asked more than four times", async () => {
  let requests = 0;
  async function ask() {
    requests += 1;
    const starting = { code: "service_unavailable", message: "The server is starting.", request_id: "unknown" };
    return requests < 6 ? Response.json(starting, { status: 503 }) : Response.json([]);
  }
  const fetch = Object.assign(ask, { preconnect() {} });
  const client = createClient({ server: "http://example.com", signal, fetch, patienceMs: 30_000 });
  expect(await client.apps()).toEqual([]);
}, 180_000);

/** A server that refuses the first `times` requests and asks to come back after so many seconds. */
function createBusy(times: number, seconds: string) {
  let requests = 0;
  async function ask() {
    requests += 1;
    const body = { code: "rate_limited", message: "Too many writes of this token.", request_id: "r1" };
    if (requests <= times) return Response.json(body, { status: 429, headers: { "retry-after": seconds } });
    return Response.json({ id: "1", token: "t" });
  }
  const fetch = Object.assign(ask, { preconnect() {} });
  return { client: createClient({ server: "http://example.com", signal, fetch }), requests: () => requests };
}

test("a server with too much to do is asked again, also for what is made anew each time", async () => {
  const busy = createBusy(5, "0");
  expect(await busy.client.createApp("shop")).toMatchObject({ id: "1" });
  expect(busy.requests()).toBe(6);
  const once = createBusy(1, "0");
  expect(await once.client.createToken({ name: "ci", role: "writer" })).toMatchObject({ token: "t" });
  expect(once.requests()).toBe(2);
}, 180_000);

test("a server that asks to come back after more than a minute is not waited for", async () => {
  const busy = createBusy(1, "61");
  expect(await failureOf(busy.client.createApp("shop"))).toMatchObject({ code: "rate_limited", exitCode: 20 });
  expect(busy.requests()).toBe(1);
});

/** A real server, and a client that loses its first answer to each writing method: the deed is done all the same. */
async function createLossy() {
  const aether = await createHarness();
  const lost = new Set(["GET"]);
  async function ask(url: string | URL | Request, init?: RequestInit) {
    const response = await fetch(url, init);
    const method = init?.method ?? "GET";
    if (lost.has(method)) return response;
    lost.add(method);
    throw new TypeError("The socket connection was closed unexpectedly");
  }
  const client = createClient({ server: aether.api, signal, fetch: Object.assign(ask, { preconnect() {} }) });
  return { aether, client, lost, [Symbol.asyncDispose]: () => aether[Symbol.asyncDispose]() };
}

test("creating and deleting an app succeed although the first answer is lost", async () => {
  await using lossy = await createLossy();
  expect(await lossy.client.createApp("shop")).toMatchObject({ name: "shop" });
  await lossy.client.deleteApp("shop");
  expect([...lossy.lost]).toEqual(["GET", "POST", "DELETE"]);
  expect(await lossy.client.apps()).toEqual([]);
});

test("what was never there is not found, also by who deletes it", async () => {
  await using aether = await createHarness();
  const client = createClient({ server: aether.api, signal });
  expect(await failureOf(client.deleteApp("ghost"))).toMatchObject({ code: "not_found" });
});

test("a list is whole, however many pages the server gives it in", async () => {
  const all = Array.from({ length: 2_001 }, (_, id) => ({ id }));
  const asked: (string | null)[] = [];
  async function ask(url: string | URL | Request) {
    const { searchParams } = new URL(String(url));
    asked.push(searchParams.get("app"));
    const offset = Number(searchParams.get("offset") ?? 0);
    return Response.json(all.slice(offset, offset + Number(searchParams.get("limit") ?? 100)));
  }
  const fetch = Object.assign(ask, { preconnect() {} });
  const client = createClient({ server: "http://example.com", signal, fetch });
  const lists = [client.artifacts(), client.apps(), client.publicKeys("shop"), client.tokens(), client.webhooks()];
  for (const list of lists) expect(await list).toHaveLength(all.length);
  asked.length = 0;
  expect(await client.artifacts("shop")).toHaveLength(all.length);
  expect(asked).toEqual(["shop", "shop", "shop"]);
});
