import type { Readable, Writable } from "node:stream";
import type { DataChannel, SessionMessage } from "../../core/session-frames.ts";
import { createSessionStreams } from "../../core/session-streams.ts";
import { version } from "../../core/version.ts";
import { AetherError, isFailureCode } from "../../lib/errors.ts";
import { unreachable } from "../client/errors.ts";
import { createOpen } from "../client/open.ts";

export interface SessionTarget {
  server: string;
  token?: string | undefined;
  /** With its query. */
  path: string;
  signal: AbortSignal;
}

/** What a program at the other end reads and writes. */
export interface OpenSession<In extends DataChannel> {
  stdin: Writable;
  outputs: Record<In, Readable>;
  tell(message: SessionMessage): void;
  /** How the program ended, or why it is not known. */
  readonly ended: Promise<number>;
  close(): void;
}

/** Opens a session; what the server refuses is thrown as of any request. */
export async function connectSession<In extends DataChannel>(
  target: SessionTarget,
  receives: readonly In[],
): Promise<OpenSession<In>> {
  const { server, signal } = target;
  signal.throwIfAborted();
  const socket = openSocket(target);
  const ended = Promise.withResolvers<number>();
  ended.promise.catch(() => {}); // awaited by who opened it, once there is a connection
  const session = createSessionStreams({
    sends: ["stdin"],
    receives,
    send: (frame) => socket.readyState === WebSocket.OPEN && socket.send(frame),
    onMessage(message) {
      if (message.type === "exit") ended.resolve(message.code);
      if (message.type === "error") ended.reject(toError(message));
    },
  });
  const close = () => socket.close();
  const interrupt = () => {
    ended.reject(signal.reason);
    close();
  };
  socket.onmessage = ({ data }) => {
    try {
      session.receive(typeof data === "string" ? data : new Uint8Array(data));
    } catch (error) {
      ended.reject(error);
      close();
    }
  };
  socket.onclose = ({ code }) => {
    signal.removeEventListener("abort", interrupt);
    ended.reject(whyClosed(code, server));
    if (code !== 1000) session.end(); // else all was sent, and may still be read
  };
  signal.addEventListener("abort", interrupt, { once: true });
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  if (signal.aborted) throw signal.reason;
  if (!isOpen) throw (await refusal(target)) ?? unreachable(server, new Error("it did not take a WebSocket"));
  return { stdin: session.outgoing.stdin, outputs: session.incoming, tell: session.tell, ended: ended.promise, close };
}

/** Why the server would not open it, asked as an ordinary request; undefined when it would. */
export async function refusal({ server, token, path, signal }: SessionTarget): Promise<unknown> {
  try {
    await createOpen({ server, token, signal })(path);
    return undefined;
  } catch (error) {
    // It went as far as to see that this is no WebSocket.
    const isTaken = error instanceof AetherError && error.code === "bad_request" && error.message.includes("WebSocket");
    return isTaken ? undefined : error;
  }
}

function openSocket({ server, token, path }: SessionTarget): WebSocket {
  const url = `${server.replace(/^http/, "ws")}${path}`;
  const protocols = ["aether.v1", ...(token === undefined ? [] : [`aether.bearer.${token}`])];
  const socket = new WebSocket(url, { protocols, headers: { "user-agent": `aether/${version}` } });
  socket.binaryType = "arraybuffer";
  return socket;
}

function toError({ code, message, hint }: Extract<SessionMessage, { type: "error" }>): AetherError {
  return new AetherError(isFailureCode(code) ? code : "internal", message, { hint });
}

function whyClosed(code: number, server: string): AetherError {
  if (code === 1008) {
    return new AetherError("unauthorized", "The token no longer works, and the session was ended.", {
      hint: `Run aether login --server ${server} --token-stdin.`,
    });
  }
  if (code === 1001) {
    return new AetherError("unreachable", `The server ${server} stopped, and the session with it.`, {
      hint: "Run the command again once it runs.",
    });
  }
  return new AetherError("unreachable", `The connection to ${server} broke, and the session with it.`, {
    hint: "Run the command again; what it did until then is done.",
  });
}
