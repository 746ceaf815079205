import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { AetherError, systemCode } from "../lib/errors.ts";
import type { Connection } from "../server/context.ts";
import type { SocketHandlers } from "../server/web-socket.ts";

type Handler = (request: Request, connection: Connection) => Response | Promise<Response>;

export interface Listener {
  port: number;
  /** From now on requests go to `handler`; before, they were answered 503. */
  serve(handler: Handler): void;
  /** Takes no new connections, lets requests end for `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** Binds at once, so that a port in use is known before anything is opened. */
export function listen({
  host,
  port,
  what,
  flag,
}: {
  host: string;
  port: number;
  what: string;
  flag: string;
}): Listener {
  let handle: Handler = () => envelope("service_unavailable", "The server is starting.", 503);
  const sockets = new Set<ServerWebSocket<SocketHandlers>>();
  const server = bind();
  return {
    port: server.port ?? port,
    serve: (handler) => {
      handle = handler;
    },
    async close(graceMs) {
      const timer = setTimeout(() => server.stop(true), graceMs);
      for (const socket of sockets) socket.close(1001, "the server stops");
      await server.stop();
      clearTimeout(timer);
    },
  };

  async function answer(request: Request, bun: Server<SocketHandlers>): Promise<Response | undefined> {
    let socket: SocketHandlers | undefined;
    const response = await handle(request, {
      keepOpen: (kept) => bun.timeout(kept, 0),
      upgrade: (handlers) => {
        socket = handlers;
      },
    });
    if (response.status !== 101 || socket === undefined) return response;
    // Middleware is through with the answer: its headers go along.
    if (bun.upgrade(request, { headers: response.headers, data: socket })) return undefined;
    return envelope("bad_request", "The request for a WebSocket is malformed.", 400);
  }

  function bind() {
    try {
      return Bun.serve<SocketHandlers>({
        hostname: host,
        port,
        idleTimeout: 120,
        // Artifacts pass through `/storage` in embedded mode; every other route has a limit of its own.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        // Bun's development pages would show our source to whoever sends a broken request.
        development: false,
        // Which it else turns on outside development: two servers would share the port in silence.
        reusePort: false,
        fetch: (request, bun) => (isWellFormed(request) ? answer(request, bun) : malformed()),
        websocket: webSockets(sockets),
        error: () => failed(),
      });
    } catch (error) {
      throw listenFailure(error, { host, port, what, flag });
    }
  }
}

/** Bun's side of a WebSocket. It pings by itself, and a peer that answers nothing for so long is gone. */
function webSockets(open: Set<ServerWebSocket<SocketHandlers>>): WebSocketHandler<SocketHandlers> {
  return {
    idleTimeout: 60,
    sendPings: true,
    maxPayloadLength: 1024 ** 2,
    open(socket) {
      open.add(socket);
      socket.data.opened(socket);
    },
    message: (socket, data) => socket.data.received(data),
    drain: (socket) => socket.data.drained(),
    close(socket) {
      open.delete(socket);
      socket.data.closed();
    },
  };
}

/** A Host header that is no host makes a URL that cannot be read. */
function isWellFormed(request: Request): boolean {
  try {
    return URL.canParse(request.url);
  } catch {
    return false;
  }
}

function envelope(code: string, message: string, status: number): Response {
  const request_id = crypto.randomUUID();
  return Response.json({ code, message, request_id }, { status, headers: { "x-request-id": request_id } });
}

const malformed = () => envelope("bad_request", "The request names no valid host.", 400);
const failed = () => envelope("internal", "The server made a mistake; its log has the story.", 500);

/** Why an address cannot be listened on, for people; other errors pass through. */
export function listenFailure(
  error: unknown,
  { host, port, what, flag }: { host: string; port: number; what: string; flag: string },
): unknown {
  const code = systemCode(error);
  if (code === "EADDRINUSE") {
    return new AetherError(
      "config_invalid",
      `Port ${port} on ${host}, for the ${what}, is in use by another program.`,
      {
        cause: error,
        hint: `Stop that program, or choose another port with ${flag}.`,
      },
    );
  }
  if (code === "EACCES" || code === "EADDRNOTAVAIL") {
    return new AetherError("config_invalid", `The ${what} cannot listen on ${host}:${port} (${code}).`, {
      cause: error,
      hint: "Choose another address with --host, or a port above 1023.",
    });
  }
  return error;
}
