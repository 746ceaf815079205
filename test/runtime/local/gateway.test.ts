import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { type Gateway, startGateway } from "../../../src/runtime/local/gateway.ts";
import { createRoutes } from "../../../src/runtime/local/routes.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { waitFor } from "../../harness/wait-for.ts";

const log = createLogger({ level: "error", format: "json", write: (line) => void process.stderr.write(line) });
const routes = createRoutes();
const closed: string[] = [];
let replica: Server;
let gateway: Gateway;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What the replica does, by path. */
const handlers: Record<string, Handler> = {
  "/headers": (request, response) => {
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.setHeader("connection", "x-private");
    response.setHeader("x-private", "no");
    response.end(JSON.stringify(request.rawHeaders));
  },
  "/sha": (request, response) => {
    const hash = createHash("sha256");
    request.on("data", (chunk) => hash.update(chunk)).on("end", () => response.end(hash.digest("hex")));
  },
  "/big": (_, response) => {
    const chunk = Buffer.alloc(64 * 1024, 7);
    let left = 1_600;
    const write = () => {
      while (left > 0) {
        left -= 1;
        if (!response.write(chunk)) return void response.once("drain", write);
      }
      response.end();
    };
    write();
  },
  "/events": (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: first\n\n");
    request.on("close", () => closed.push("/events"));
  },
  "/half": (request, response) => {
    response.writeHead(200);
    response.write("half", () => request.socket.destroy());
  },
  "/gone": (request) => request.socket.destroy(),
  "/early": (_, response) => {
    response.writeHead(413);
    response.end("too large");
  },
  "/not-modified": (_, response) => response.writeHead(304, { etag: '"x"' }).end(),
};

beforeAll(async () => {
  replica = createServer((request, response) =>
    (handlers[request.url ?? ""] ?? ((_, done) => done.end("ok")))(request, response),
  );
  replica.on("upgrade", (request, socket, head) => {
    if (request.url === "/refused") return void socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: Upgrade\r\n\r\n");
    socket.write(head);
    socket.pipe(socket);
    socket.on("close", () => closed.push("upgrade")).on("error", () => undefined);
  });
  await new Promise<void>((done) => replica.listen(0, "127.0.0.1", done));
  const address = replica.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  routes.serve("shop", [{ replica: "shop-v1-0", host: "127.0.0.1", port }]);
  routes.declare("silent");
  routes.serve("refusing", [{ replica: "refusing-v1-0", host: "127.0.0.1", port: await closedPort() }]);
  gateway = await startGateway({ routes, host: "127.0.0.1", port: 0, log, listsApps: true, holdMs: 2_000 });
});

afterAll(async () => {
  await gateway.stop();
  replica.closeAllConnections();
  replica.close();
});

const get = (path: string, { app = "shop", ...init }: RequestInit & { app?: string } = {}) =>
  fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    redirect: "manual",
    ...init,
    headers: { host: `${app}.localhost`, ...init.headers },
  });

/** Sends bytes as they are and returns all that comes back until the connection closes. */
function raw(text: string): Promise<string> {
  return new Promise((done) => {
    let answer = "";
    const socket = connect(gateway.port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", () => done(answer)).on("close", () => done(answer));
  });
}

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("headers arrive as they were sent, but for those of the connection", async () => {
  const response = await get("/headers", { headers: { "x-app": "1", "proxy-authorization": "secret" } });
  const sent = (await response.json()) as string[];
  const headers = Object.fromEntries(Array.from({ length: sent.length / 2 }, (_, i) => [sent[2 * i], sent[2 * i + 1]]));
  expect(headers).toMatchObject({
    host: "shop.localhost",
    "x-app": "1",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "shop.localhost",
    "x-forwarded-proto": "http",
  });
  expect(headers).not.toHaveProperty("proxy-authorization");
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(response.headers.has("x-private")).toBe(false);
});

test("a proxy on this machine is believed about the client", async () => {
  const response = await get("/headers", {
    headers: { "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https" },
  });
  const text = await response.text();
  expect(text).toContain('"x-forwarded-for","203.0.113.9, 127.0.0.1"');
  expect(text).toContain('"x-forwarded-proto","https"');
});

test("large bodies stream through unchanged both ways", async () => {
  const body = randomBytes(64 * 1024 * 1024);
  const expected = createHash("sha256").update(body).digest("hex");
  expect(await (await get("/sha", { method: "POST", body })).text()).toBe(expected);
  const chunks = new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 1_000_003) controller.enqueue(body.subarray(at, at + 1_000_003));
      controller.close();
    },
  });
  expect(await (await get("/sha", { method: "POST", body: chunks })).text()).toBe(expected);
  const down = new Bun.CryptoHasher("sha256").update(await (await get("/big")).arrayBuffer()).digest("hex");
  expect(down).toBe(
    createHash("sha256")
      .update(Buffer.alloc(1_600 * 64 * 1024, 7))
      .digest("hex"),
  );
});

test("a GET with a body keeps its body", async () => {
  const answer = await raw(
    `GET /sha HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
  );
  expect(answer).toContain(createHash("sha256").update("abc").digest("hex"));
});

test("events arrive one by one, and the end of the client is the end of the stream", async () => {
  const ending = new AbortController();
  const response = await get("/events", { signal: ending.signal });
  const { value } = (await response.body?.getReader().read()) ?? {};
  expect(new TextDecoder().decode(value)).toBe("data: first\n\n");
  ending.abort();
  await waitFor("the replica to notice", () => closed.includes("/events"));
});

test("an answer without a body stays one", async () => {
  expect((await get("/not-modified")).status).toBe(304);
  const head = await get("/big", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("a replica may answer before it has read the whole body", async () => {
  const response = await get("/early", { method: "POST", body: randomBytes(8 * 1024 * 1024) });
  expect([response.status, await response.text()]).toEqual([413, "too large"]);
});

test("an answer that is cut off is not taken for a whole one", async () => {
  const response = await get("/half");
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
});

test("a replica that dies before it answers is a 502 that names the log", async () => {
  const response = await get("/gone");
  expect(response.status).toBe(502);
  expect(await response.json()).toMatchObject({
    code: "bad_gateway",
    hint: expect.stringContaining("`aether logs shop`"),
  });
});

test("a replica that refuses connections is a 502", async () => {
  expect((await get("/", { app: "refusing" })).status).toBe(502);
});

test("an application of which nothing answers is a 503", async () => {
  const response = await get("/", { app: "silent", headers: { accept: "text/html" } });
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
  const page = await response.text();
  expect(page).toContain("<code>aether logs silent</code>");
  expect(page).toContain('<meta http-equiv="refresh" content="2">');
});

test("a request waits for an application that is starting", async () => {
  const lease = await routes.pick("shop", { waitMs: 0, signal: new AbortController().signal });
  if (typeof lease === "string") throw new Error(lease);
  lease.release();
  routes.expect("late", true);
  const answer = get("/", { app: "late" });
  await get("/"); // by the time this is back, the other one waits
  routes.serve("late", [lease.upstream]);
  expect(await (await answer).text()).toBe("ok");
  routes.forget("late");
});

test.each(["ghost.localhost", "shop.example.com", "<script>.localhost", "a.b.localhost", "localhost.evil.example"])(
  "the host %s is a 404 that repeats nothing unescaped",
  async (host) => {
    const response = await get("/", { headers: { host, accept: "text/html" } });
    expect(response.status).toBe(404);
    expect(await response.text()).not.toContain("<script>");
  },
);

test("localhost lists the applications", async () => {
  const html = await (await get("/", { headers: { host: `localhost:${gateway.port}`, accept: "text/html" } })).text();
  expect(html).toContain(`<a href="http://shop.localhost:${gateway.port}">shop</a>`);
  const json = await (await get("/", { headers: { host: "localhost" } })).json();
  expect(json).toEqual({
    apps: expect.arrayContaining([{ name: "shop", url: `http://shop.localhost:${gateway.port}` }]),
  });
});

test("localhost names no application where tokens are demanded", async () => {
  const quiet = await startGateway({ routes, host: "127.0.0.1", port: 0, log, listsApps: false });
  const answer = await fetch(`http://127.0.0.1:${quiet.port}/`, { headers: { host: "localhost" } });
  await quiet.stop();
  expect(answer.status).toBe(404);
  expect(await answer.text()).not.toContain("shop");
});

test("a WebSocket passes bytes both ways, early ones too, and ends with either side", async () => {
  const answer: string[] = [];
  const socket = connect(gateway.port, "127.0.0.1");
  socket.on("data", (chunk) => answer.push(String(chunk)));
  socket.write("GET /chat HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
  await waitFor("the early bytes", () => answer.join("").endsWith("\r\n\r\nearly"));
  socket.write("later");
  await waitFor("the later bytes", () => answer.join("").endsWith("earlylater"));
  expect(answer.join("")).toStartWith("HTTP/1.1 101 ");
  socket.destroy();
  await waitFor("the replica to notice", () => closed.includes("upgrade"));
});

test("real WebSocket clients are echoed", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: { message: (socket, message) => void socket.send(message) },
  });
  routes.serve("chat", [{ replica: "chat-v1-0", host: "127.0.0.1", port: server.port ?? 0 }]);
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`, { headers: { host: "chat.localhost" } });
  const text = "x".repeat(100_000);
  const echoed = await new Promise((done, failed) => {
    socket.onopen = () => socket.send(text);
    socket.onmessage = (message) => done(message.data);
    socket.onerror = failed;
  });
  expect(echoed).toBe(text);
  socket.close();
  routes.forget("chat");
  await server.stop(true);
});

test("an upgrade that the replica refuses is answered with its refusal", async () => {
  const answer = await raw(
    "GET /refused HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n(.+\r\n)*\r\nno$/);
});

test("an upgrade for an unknown application is a 404", async () => {
  const answer = await raw(
    "GET / HTTP/1.1\r\nHost: ghost.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  expect(answer).toStartWith("HTTP/1.1 404 ");
});

test.each([
  ["two lengths", "Content-Length: 3\r\nContent-Length: 5"],
  ["two equal lengths", "Content-Length: 3\r\nContent-Length: 3"],
  ["a length and chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked"],
  ["an unknown transfer encoding", "Transfer-Encoding: xchunked"],
  ["a list of transfer encodings", "Transfer-Encoding: gzip, chunked"],
  ["chunks that are not last", "Transfer-Encoding: chunked, identity"],
  ["a blank before the colon", "Content-Length : 3"],
  ["a folded header", "X: 1\r\n 2"],
  ["a second host", "Host: other.localhost"],
  ["a negative length", "Content-Length: -3"],
])("a request with %s is refused, not forwarded", async (_, header) => {
  const answer = await raw(
    `POST / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n${header}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n`,
  );
  expect(answer).toStartWith("HTTP/1.1 400 ");
  expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
});

test("a request for a whole URL is refused", async () => {
  const answer = await raw("GET http://other.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n");
  expect(answer).toStartWith("HTTP/1.1 400 ");
});
