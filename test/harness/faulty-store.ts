import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";

/** One request on its way to the store, in the hands of a fault. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  body: Buffer;
  /** Lets the store answer, to a request with other headers if asked. */
  forward: (change?: (headers: IncomingHttpHeaders) => void) => Promise<Answer>;
  /** Passes an answer on, changed by the fault. */
  reply: (answer: Answer) => void;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export type Fault = (exchange: Exchange) => void | Promise<void>;

/** An HTTP proxy before a store, on a free port: each fault takes one request, in order; without one it is transparent. */
export async function faultyStore(targetUrl: string) {
  const faults: Fault[] = [];
  const requests: { method: string; url: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer(async (incoming, response) => {
    const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
    requests.push({ method: incoming.method ?? "", url: incoming.url ?? "", headers: incoming.headers });
    const forward: Exchange["forward"] = (change) => {
      const headers = { ...incoming.headers };
      change?.(headers);
      return send(targetUrl, { method: incoming.method ?? "GET", path: incoming.url ?? "/", headers, body });
    };
    const reply: Exchange["reply"] = (answer) => {
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
    };
    const fault = faults.shift() ?? transparent;
    await fault({ request: incoming, response, body, forward, reply });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    requests,
    /** What the next requests meet, one fault each. */
    meet: (...more: Fault[]) => void faults.push(...more),
    /** How many faults no request has met. */
    unmet: () => faults.length,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

/** The store's own answer. */
export const transparent: Fault = async ({ forward, reply }) => reply(await forward());

/** Refused in the language of S3. */
export const refuses =
  (status: number, code: string, headers: Record<string, string> = {}): Fault =>
  ({ response }) => {
    response.writeHead(status, { "content-type": "application/xml", ...headers });
    response.end(`<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>Said by the test.</Message></Error>`);
  };

/** The connection is reset before a word. */
export const resets: Fault = ({ request: { socket } }) => void socket.destroy();

/** What was asked is done, but the answer never arrives. */
export const losesAnswer: Fault = async ({ forward, request: { socket } }) => {
  await forward();
  socket.destroy();
};

/** The body's first bytes, then a broken connection. */
export const cutsAfter =
  (bytes: number): Fault =>
  async ({ forward, response }) => {
    const answer = await forward();
    response.writeHead(answer.status, answer.headers);
    response.write(answer.body.subarray(0, bytes), () => response.destroy());
  };

/** The body's first bytes, then silence. */
export const stallsAfter =
  (bytes: number): Fault =>
  async ({ forward, response }) => {
    const answer = await forward();
    response.writeHead(answer.status, answer.headers);
    response.write(answer.body.subarray(0, bytes));
  };

/** A clean end after the body's first bytes, with a Content-Length that fits them, or with none. */
export const truncates =
  (bytes: number, length: "right" | "none"): Fault =>
  async ({ forward, response }) => {
    const { status, headers, body } = await forward();
    const { "content-length": _, ...rest } = headers;
    response.writeHead(status, length === "none" ? rest : { ...rest, "content-length": String(bytes) });
    response.end(body.subarray(0, bytes));
  };

/** The store does not know this header. */
export const ignores =
  (header: string): Fault =>
  async ({ forward, reply }) =>
    reply(await forward((headers) => void delete headers[header]));

/** Something else than the store's answer. */
export const answers =
  (change: (answer: Answer) => Answer): Fault =>
  async ({ forward, reply }) =>
    reply(change(await forward()));

function send(
  targetUrl: string,
  { method, path, headers, body }: { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer },
): Promise<Answer> {
  const { hostname, port } = new URL(targetUrl);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, async (answer) => {
      const received = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>));
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: received });
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
