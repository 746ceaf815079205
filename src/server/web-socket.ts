import type { Context } from "hono";
import { toFailure } from "../control/failures.ts";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";
import { type StreamEnding, type StreamEndOptions, streamEnd } from "./stream-end.ts";

/** A connection as the listener has it (Bun's `ServerWebSocket`). */
export interface RawSocket {
  send(data: string | Uint8Array): unknown;
  getBufferedAmount(): number;
  close(code: number, reason: string): void;
}

/** What the listener tells of one connection. */
export interface SocketHandlers {
  opened(raw: RawSocket): void;
  received(data: string | Uint8Array): void;
  /** The peer took some of what was waiting for it. */
  drained(): void;
  closed(): void;
}

/** One end of an open WebSocket. */
export interface Socket {
  /** Aborts when it must end: the peer left, the server stops, or the token that opened it no longer works. */
  readonly signal: AbortSignal;
  /** Settles when little is waiting for the peer, or it is gone: who awaits it lets nothing pile up. */
  send(data: string | Uint8Array): Promise<void>;
  /** From now on, what the peer says goes to `handler`; what it said before is dropped. */
  onMessage(handler: (data: string | Uint8Array) => void): void;
  /** Ends it with this code; what is sent later is dropped. */
  close(code: number, reason: string): void;
}

/** The subprotocol that is answered when it is offered beside the token's. */
const protocol = "aether.v1";
const bearer = /^aether\.bearer\.(\S+)$/;
/** More than this is waiting for the peer: whoever sends waits as well. */
const waitingBytes = 256 * 1024;
const closeCodes: Record<StreamEnding, [code: number, reason: string]> = {
  left: [1000, ""],
  stopping: [1001, "the server stops"],
  revoked: [1008, "the token no longer works"],
  removed: [1000, "what it was about was removed"],
};

/** The token in `Sec-WebSocket-Protocol`, where a browser can put it: never in a query, which is logged. */
export function socketToken(c: Context<ServerEnv>): string | undefined {
  if (!isUpgrade(c)) return undefined;
  return offered(c).flatMap((one) => bearer.exec(one)?.[1] ?? [])[0];
}

/**
 * Answers 101, and runs `talk` on the connection: it is closed with 1000 when that returns, and with 1011 and the reason
 * when it throws. What is refused before (no such app, no right) is thrown by the handler, and an ordinary answer.
 */
export function webSocket(
  c: Context<ServerEnv>,
  talk: (socket: Socket) => Promise<void>,
  { isThere }: Pick<StreamEndOptions, "isThere"> = {},
): Response {
  if (!isUpgrade(c)) {
    throw new AetherError("bad_request", `${c.req.path} is a WebSocket, and this request asks for none.`, {
      hint: "Send it with a WebSocket client.",
    });
  }
  if (c.env.upgrade === undefined) throw new Error("This server was put together without WebSockets.");
  c.env.upgrade(createHandlers(c, talk, isThere));
  const protocols = offered(c);
  const answered = protocols.includes(protocol) ? protocol : protocols.find((one) => bearer.test(one));
  return new Response(null, { status: 101, headers: answered ? { "sec-websocket-protocol": answered } : {} });
}

function createHandlers(
  c: Context<ServerEnv>,
  talk: (socket: Socket) => Promise<void>,
  isThere: StreamEndOptions["isThere"],
): SocketHandlers {
  const gone = new AbortController();
  let raw: RawSocket | undefined;
  let handle: (data: string | Uint8Array) => void = () => {};
  let waiting = Promise.withResolvers<void>();

  async function run(opened: RawSocket): Promise<void> {
    const { signal, release, ending } = streamEnd(c, { left: gone.signal, isThere });
    // One that does not read must not keep a revoked token's connection open.
    signal.addEventListener("abort", () => socket(signal).close(...closeCodes[ending()]), { once: true });
    try {
      await talk(socket(signal));
      opened.close(...closeCodes[ending()]);
    } catch (error) {
      if (signal.aborted) return opened.close(...closeCodes[ending()]);
      opened.close(1011, toReason(c, error));
    } finally {
      release();
    }
  }

  const socket = (signal: AbortSignal): Socket => ({
    signal,
    async send(data) {
      if (gone.signal.aborted) return;
      raw?.send(data);
      while (!gone.signal.aborted && (raw?.getBufferedAmount() ?? 0) > waitingBytes) await waiting.promise;
    },
    onMessage(handler) {
      handle = handler;
    },
    close(code, reason) {
      raw?.close(code, reason);
      wake();
    },
  });

  function wake(): void {
    waiting.resolve();
    waiting = Promise.withResolvers();
  }

  return {
    opened(opened) {
      raw = opened;
      void run(opened);
    },
    received: (data) => handle(data),
    drained: wake,
    closed() {
      gone.abort();
      wake();
    },
  };
}

/** Why it was ended, in the 123 bytes that a close frame has. A bug's story goes to the log and never outside. */
function toReason(c: Context<ServerEnv>, error: unknown): string {
  const failure = toFailure(error);
  if (failure.status >= 500) {
    c.var.control.log.error("a connection broke", { path: c.req.path, request_id: c.var.requestId, error: failure });
  }
  const text = `${failure.code}: ${failure.message}`;
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 123 ? text : new TextDecoder().decode(bytes.subarray(0, 120), { stream: true });
}

const isUpgrade = (c: Context<ServerEnv>): boolean => c.req.header("upgrade")?.toLowerCase() === "websocket";

const offered = (c: Context<ServerEnv>): string[] =>
  (c.req.header("sec-websocket-protocol") ?? "").split(",").map((one) => one.trim());
