import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../telemetry/log.ts";
import { connectTo, forwardRequest, forwardUpgrade, sendRawPage } from "./gateway-forward.ts";
import {
  appList,
  badRequest,
  noList,
  nothingServes,
  type Page,
  refused,
  scaledToNone,
  sendPage,
  unknownApp,
} from "./gateway-pages.ts";
import type { Routes } from "./routes.ts";

export interface GatewayOptions {
  routes: Routes;
  host: string;
  /** 0: the kernel chooses. */
  port: number;
  log: Logger;
  /** Whether `localhost` itself tells everyone who asks which applications there are. */
  listsApps: boolean;
  /** How long a request waits for an application that is starting. */
  holdMs?: number;
}

export interface Gateway {
  readonly port: number;
  url(app: string): string;
  /** Takes no more requests, lets those in flight finish for `graceMs`, and closes. */
  stop(graceMs?: number): Promise<void>;
}

/** A connection to a replica, held for one request. */
interface Passage {
  app: string;
  socket: Socket;
  release(): void;
}

/** A replica that refuses is asked again for so long: it may just have crashed, and is noticed in a moment. */
const refusedForMs = 1_000;

/** Listens and routes `<app>.localhost` to the replicas that serve `<app>`; `localhost` itself may list them. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { routes, log, holdMs = 10_000 } = options;
  const inFlight = new Set<Promise<void>>();
  const tunnels = new Set<Duplex>();
  const server = createServer({ requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 75_000 });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const found = await findPassage(request, gone.signal);
    if (!("socket" in found)) return sendPage(found, request, response);
    await forwardRequest(request, response, found).finally(found.release);
  }

  async function serveUpgrade(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    client.on("error", () => client.destroy()).once("close", () => gone.abort());
    const found = await findPassage(request, gone.signal);
    if (!("socket" in found)) return sendRawPage(found, request, client);
    tunnels.add(client);
    await forwardUpgrade(request, { ...found, client, head }).finally(found.release);
    tunnels.delete(client);
  }

  async function findPassage(request: IncomingMessage, signal: AbortSignal): Promise<Passage | Page> {
    const wrong = problemOf(request);
    if (wrong !== undefined) return badRequest(wrong);
    const host = hostName(request);
    if (isThisMachine(host)) return options.listsApps ? appList(routes.apps().map(toLink)) : noList;
    const app = /^([a-z][a-z0-9-]*)\.localhost$/.exec(host)?.[1];
    return app === undefined ? unknownApp(host) : connectApp(app, signal);
  }

  async function connectApp(app: string, signal: AbortSignal): Promise<Passage | Page> {
    const begin = performance.now();
    for (;;) {
      const lease = await routes.pick(app, { waitMs: holdMs - (performance.now() - begin), signal });
      if (lease === "unknown") return unknownApp(`${app}.localhost`);
      if (lease === "down") return nothingServes(app);
      if (lease === "resting") return scaledToNone(app);
      const socket = await connectTo(lease.upstream);
      if (socket) return { app, socket, release: lease.release };
      lease.release();
      if (signal.aborted || performance.now() - begin > refusedForMs) return refused(app);
      await sleep(25);
    }
  }

  function track(name: string, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => log.error(`the gateway failed to ${name}`, { error }))
      .finally(() => inFlight.delete(done));
    inFlight.add(done);
  }

  server.on("request", (request, response) => track("forward a request", serve(request, response)));
  server.on("upgrade", (request, client, head) => track("forward an upgrade", serveUpgrade(request, client, head)));
  const port = await listen(server, options);
  const urlOf = (app: string) => `http://${app}.localhost:${port}`;
  const toLink = (app: string) => ({ href: urlOf(app), text: app });

  return {
    port,
    url: urlOf,
    async stop(graceMs = 0) {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      for (const client of tunnels) client.destroy();
      await Promise.race([Promise.all(inFlight), sleep(graceMs, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What a second parser behind us could read in another way is refused, not forwarded. */
function problemOf(request: IncomingMessage): string | undefined {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  const count = (name: string) => names.filter((other) => other === name).length;
  if (count("host") > 1) return "The request has more than one Host header.";
  if (count("content-length") > 1) return "The request has more than one Content-Length header.";
  const encoding = request.headers["transfer-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "chunked")
    return "The request's Transfer-Encoding is not chunked.";
  return request.url?.startsWith("/") || request.url === "*"
    ? undefined
    : "The request names a whole URL instead of a path.";
}

function hostName(request: IncomingMessage): string {
  const host = (request.headers.host ?? "").toLowerCase();
  return host.replace(/:\d+$/, "").replace(/\.$/, "");
}

const isThisMachine = (host: string): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(host);

async function listen(server: Server, { host, port }: GatewayOptions): Promise<number> {
  await new Promise<void>((listening, failed) => server.once("error", failed).listen(port, host, listening));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
