import { createServer, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { AetherError, messageOf, systemCode } from "../../lib/errors.ts";
import { connectSession, refusal, type SessionTarget } from "./connect.ts";

export interface Forwarding {
  server: string;
  token?: string | undefined;
  app: string;
  /** 0: any that is free. */
  localPort: number;
  /** Absent: where the application listens. */
  port?: number | undefined;
  replica?: string | undefined;
  signal: AbortSignal;
  /** A connection failed, and others may not. */
  warn: (message: string) => void;
}

/** Listens on this machine; each connection is one to the application, until `signal` ends them all. */
export async function startForwarding(forwarding: Forwarding): Promise<{ port: number; over: Promise<void> }> {
  const { app, port, replica, signal, localPort, warn } = forwarding;
  const query = new URLSearchParams({
    ...(port === undefined ? {} : { port: String(port) }),
    ...(replica === undefined ? {} : { replica }),
  });
  const target = { ...forwarding, path: `/apps/${encodeURIComponent(app)}/port-forward/ws?${query}` };
  const problem = await refusal(target);
  if (problem !== undefined) throw problem;

  const open = new Set<Socket>();
  // Half-open: who has sent all may still wait for the answer.
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => undefined); // the other end is told by the stream that breaks
    socket.once("close", () => open.delete(socket));
    void carry(target, socket).catch((error: unknown) => {
      socket.resetAndDestroy();
      if (!signal.aborted && !isGone(error)) warn(`A connection failed: ${messageOf(error)}`);
    });
  });
  await new Promise<void>((listening, failed) => {
    listener.once("error", (error) => failed(listenFailure(error, localPort)));
    listener.listen(localPort, "127.0.0.1", listening);
  });
  const over = new Promise<void>((resolve) => {
    const end = () => {
      for (const socket of open) socket.destroy();
      listener.close(() => resolve());
    };
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
  const address = listener.address();
  return { port: typeof address === "object" && address !== null ? address.port : localPort, over };
}

async function carry(target: SessionTarget, socket: Socket): Promise<void> {
  const session = await connectSession(target, ["stdout"]);
  try {
    await Promise.all([
      session.ended,
      pipeline(session.outputs.stdout, socket),
      // An application that ends the connection first leaves nobody to send to.
      pipeline(socket, session.stdin).catch((error: unknown) => !isGone(error) && session.close()),
    ]);
  } finally {
    session.close();
  }
}

/** Who connected here went away, which is theirs to do. */
const isGone = (error: unknown): boolean =>
  ["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED"].includes(systemCode(error) ?? "");

function listenFailure(error: unknown, port: number): unknown {
  const code = systemCode(error);
  if (code !== "EADDRINUSE" && code !== "EACCES") return error;
  const why = code === "EACCES" ? "is not yours to use" : "is in use by another program";
  return new AetherError("usage", `Port ${port} of this machine ${why}.`, {
    cause: error,
    hint: `Name another one before a colon, such as ${port < 55_000 ? port + 10_000 : 3000}:<port>.`,
  });
}
