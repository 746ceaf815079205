import { finished } from "node:stream/promises";
import type { Context } from "hono";
import { toFailure } from "../control/failures.ts";
import { forwardConnection, runCommand, type SessionTarget } from "../control/sessions.ts";
import type { SessionMessage, TerminalSize } from "../core/session-frames.ts";
import { createSessionStreams } from "../core/session-streams.ts";
import type { Terminal } from "../core/terminal.ts";
import { AetherError } from "../lib/errors.ts";
import { actorOf } from "./actor.ts";
import type { ServerEnv } from "./context.ts";
import type { Socket } from "./web-socket.ts";

/** Runs the command that the client names first, with its streams; says how it ended. */
export async function serveCommand(c: Context<ServerEnv>, socket: Socket, target: SessionTarget): Promise<void> {
  const start = Promise.withResolvers<Extract<SessionMessage, { type: "start" }>>();
  const resized = createResizes();
  const { session, signal } = openSession(socket, {
    sends: ["stdout", "stderr"],
    receives: ["stdin"],
    onMessage(message) {
      if (message.type === "start") start.resolve(message);
      else if (message.type === "resize") resized.tell(message);
      else throw new AetherError("bad_request", `"${message.type}" is not for a client to say.`);
    },
  });
  await telling(c, socket, session.tell, async () => {
    const { command, terminal } = await orAborted(start.promise, signal);
    if (command.length === 0) throw new AetherError("bad_request", "There is no command to run.");
    session.tell({ type: "started", replica: target.replica });
    const streams = { ...session.incoming, ...session.outgoing, signal };
    const shown = terminal === undefined ? {} : { terminal: resized.terminal(terminal) };
    const actor = actorOf(c);
    const code = await runCommand(c.var.control, target, { command, ...shown, ...streams, actor });
    // All that it printed is on its way before the end of it is told.
    await Promise.all(Object.values(session.outgoing).map((stream) => finished(stream.end(), { signal })));
    session.tell({ type: "exit", code });
  });
  session.end();
}

/** One connection to a port of the app. */
export async function serveConnection(
  c: Context<ServerEnv>,
  socket: Socket,
  { port, ...target }: SessionTarget & { replica: string; port?: number | undefined },
): Promise<void> {
  const { session, signal } = openSession(socket, {
    sends: ["stdout"],
    receives: ["stdin"],
    onMessage(message) {
      throw new AetherError("bad_request", `"${message.type}" is not for a client to say.`);
    },
  });
  await telling(c, socket, session.tell, async () => {
    session.tell({ type: "started", replica: target.replica });
    const { stdin: input } = session.incoming;
    const { stdout: output } = session.outgoing;
    const wanted = port === undefined ? {} : { port };
    await forwardConnection(c.var.control, target, { ...wanted, input, output, signal, actor: actorOf(c) });
    session.tell({ type: "exit", code: 0 });
  });
  session.end();
}

interface Talk<Out extends "stdout" | "stderr"> {
  sends: readonly Out[];
  receives: readonly ["stdin"];
  onMessage: (message: SessionMessage) => void;
}

/** The streams over a socket; `signal` aborts when it ends, and when the client breaks the protocol. */
function openSession<Out extends "stdout" | "stderr">(socket: Socket, talk: Talk<Out>) {
  const broken = new AbortController();
  const session = createSessionStreams({ ...talk, send: (frame) => void socket.send(frame) });
  socket.onMessage((frame) => {
    if (signal.aborted) return;
    try {
      session.receive(frame);
    } catch (error) {
      broken.abort(error);
    }
  });
  const signal = AbortSignal.any([socket.signal, broken.signal]);
  signal.addEventListener("abort", session.end, { once: true });
  return { session, signal };
}

/** A failure is told in the session: a browser's or a person's client sees no more than a closed connection otherwise. */
async function telling(
  c: Context<ServerEnv>,
  socket: Socket,
  tell: (message: SessionMessage) => void,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (socket.signal.aborted) return; // how it is closed says why
    const failure = toFailure(error);
    if (failure.status >= 500) {
      c.var.control.log.error("a session failed", { path: c.req.path, request_id: c.var.requestId, error: failure });
    }
    const { code, message, hint } = failure;
    tell({ type: "error", code, message, ...(hint === undefined ? {} : { hint }) });
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
    promise.then(resolve, reject);
  });
}

function createResizes() {
  const listeners: ((size: TerminalSize) => void)[] = [];
  return {
    tell({ columns, rows }: TerminalSize) {
      for (const listener of listeners) listener({ columns, rows });
    },
    terminal: (size: TerminalSize): Terminal => ({ ...size, onResize: (listener) => void listeners.push(listener) }),
  };
}
