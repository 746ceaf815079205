import { type IncomingMessage, request as requestUpstream, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Headers, requestHeaders, responseHeaders, upgradeHeaders } from "./gateway-headers.ts";
import { discardBody, type Page, renderPage, replicaGone, sendPage } from "./gateway-pages.ts";
import type { Upstream } from "./routes.ts";

/**
 * A fresh connection to a replica, or undefined when it takes none. Nothing of a request has been sent by then, so that
 * another replica may be asked; and no pooled connection can turn out stale.
 */
export function connectTo({ host, port }: Upstream): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect({ host, port, noDelay: true });
    socket.once("connect", () => {
      socket.off("error", refused);
      done(socket);
    });
    const refused = () => done(undefined);
    socket.once("error", refused);
  });
}

/** Streams a request to a replica and its answer back; either side's end ends the other. Returns when both are done. */
export function forwardRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { app, socket }: { app: string; socket: Socket },
): Promise<void> {
  return new Promise((done) => {
    const upstream = requestUpstream({
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: requestHeaders(request),
      createConnection: () => socket,
    });
    let whole = false;
    upstream.once("response", (answer) => {
      answer.once("end", () => {
        whole = true; // it may have answered without reading the whole body, and then our writing fails
      });
      answer.once("close", () => {
        if (!whole) response.destroy(); // cut off: the client must not take it for all there is
        discardBody(request);
      });
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer));
      response.flushHeaders(); // an event stream's headers must not wait for its first event
      answer.on("error", () => undefined); // followed by `close`
      answer.pipe(response);
    });
    upstream.on("error", () => {
      if (!whole) sendPage(replicaGone(app), request, response);
    });
    response.once("close", () => {
      upstream.destroy();
      socket.destroy();
      done();
    });
    if (response.destroyed) return void upstream.destroy();
    request.pipe(upstream);
  });
}

/** Asks a replica for an upgrade; when it agrees, both connections become one. Returns when they are closed. */
export function forwardUpgrade(
  request: IncomingMessage,
  { client, head, app, socket }: { client: Duplex; head: Buffer; app: string; socket: Socket },
): Promise<void> {
  return new Promise((done) => {
    const upstream = requestUpstream({
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: upgradeHeaders(request),
      createConnection: () => socket,
    });
    upstream.once("upgrade", (answer, replica, first) => {
      const headers = { ...responseHeaders(answer), connection: "Upgrade", upgrade: answer.headers.upgrade ?? "" };
      client.write(toHead(101, answer.statusMessage ?? "Switching Protocols", headers));
      if (first.length > 0) client.write(first);
      if (head.length > 0) replica.write(head);
      replica.once("error", () => client.destroy()).once("close", () => client.destroy());
      replica.pipe(client).pipe(replica);
    });
    upstream.once("response", (answer) => {
      const headers = { ...responseHeaders(answer), connection: "close" };
      client.write(toHead(answer.statusCode ?? 502, answer.statusMessage ?? "", headers));
      answer.once("error", () => client.destroy());
      answer.pipe(client);
    });
    upstream.once("error", () => sendRawPage(replicaGone(app), request, client));
    client.once("close", () => {
      upstream.destroy();
      socket.destroy();
      done();
    });
    upstream.end();
  });
}

/** A page on a connection that asked for an upgrade, which has no response object. */
export function sendRawPage(page: Page, request: IncomingMessage, client: Duplex): void {
  const { status, headers, body } = renderPage(page, request);
  client.end(
    toHead(status, page.title, { ...headers, connection: "close", "content-length": String(Buffer.byteLength(body)) }) +
      body,
  );
}

/** The values come from a parser that lets no line end through. */
function toHead(status: number, reason: string, headers: Headers): string {
  const lines = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => `${name}: ${value}\r\n`),
  );
  return `HTTP/1.1 ${status} ${reason}\r\n${lines.join("")}\r\n`;
}
