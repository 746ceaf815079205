import { connect, type Socket } from "node:net";

export interface RawRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
}

/** A socket with the head of a request already sent: the test decides what follows, and when it ends. */
export async function openRequest({ url, method, headers }: RawRequest): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const lines = Object.entries({ host: `${hostname}:${port}`, connection: "close", ...headers });
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n`);
  socket.write(`${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  return socket;
}

/** Writes and waits while the other side is slow, so that the sender holds no more than one piece. */
export function send(socket: Socket, data: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => socket.write(data, (error) => (error ? reject(error) : resolve())));
}

/** The status code of the answer, or undefined when the connection ended without one. */
export async function statusOf(socket: Socket): Promise<number | undefined> {
  let text = "";
  try {
    for await (const chunk of socket) {
      text += chunk;
      if (/^HTTP\/1\.1 \d{3}/.test(text)) break;
    }
  } catch {
    // a reset counts as no answer
  }
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}
