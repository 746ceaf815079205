import { openRequest, statusOf } from "./raw-http.ts";

export interface OpenSocket extends AsyncDisposable {
  /** The subprotocol that the server chose. */
  readonly protocol: string;
  /** The next message; undefined when the connection has ended. */
  next(): Promise<string | undefined>;
  send(text: string): void;
  /** How the server ended it. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Opens a WebSocket of the API (`http://…`) as a browser would. */
export async function openWebSocket(url: string, protocols: string[] = []): Promise<OpenSocket> {
  const socket = new WebSocket(url.replace(/^http/, "ws"), protocols);
  const messages: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  let isOver = false;
  const tell = () => {
    arrived.resolve();
    arrived = Promise.withResolvers();
  };
  socket.onmessage = ({ data }) => {
    messages.push(String(data));
    tell();
  };
  socket.onclose = ({ code, reason }) => {
    isOver = true;
    closed.resolve({ code, reason });
    tell();
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`${url} did not become a WebSocket.`));
  });
  return {
    protocol: socket.protocol,
    closed: closed.promise,
    send: (text) => socket.send(text),
    async next() {
      while (messages.length === 0 && !isOver) await arrived.promise;
      return messages.shift();
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed.promise;
    },
  };
}

/** What a request for a WebSocket is answered: 101, or the status of the refusal. */
export async function upgradeStatus(url: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  const socket = await openRequest({ url, method: "GET", headers: { ...upgradeHeaders, ...headers } });
  try {
    return await statusOf(socket);
  } finally {
    socket.destroy();
  }
}

/** The head of a request for a WebSocket. */
export const upgradeHeaders = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};
