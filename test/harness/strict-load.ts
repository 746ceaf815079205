import { connect, type Socket } from "node:net";

/** What clients saw that count each answer they did not get; nothing is asked twice. */
export interface Load {
  answers: Map<string, number>;
  failures: string[];
  stop(): Promise<void>;
}

export interface LoadOptions {
  port: number;
  path?: string;
  connections: number;
  /** Between two requests of one connection. */
  everyMs: number;
  /** False: a connection for each request. */
  isKept: boolean;
}

/** Asks over sockets of its own: an HTTP client would try a dropped request again, and say nothing. */
export function strictLoad({ port, path = "/", connections, everyMs, isKept }: LoadOptions): Load {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let isOver = false;

  async function client(): Promise<void> {
    let socket: Socket | undefined;
    while (!isOver) {
      try {
        if (socket === undefined || isGone(socket)) socket = await open(port);
        const { status, body, closes } = await ask(socket, path, isKept);
        if (status !== 200) failures.push(`${status} ${body}`);
        answers.set(body, (answers.get(body) ?? 0) + 1);
        if (closes) socket = void socket.destroy();
      } catch (error) {
        failures.push(String(error));
        socket = void socket?.destroy();
      }
      await Bun.sleep(everyMs);
    }
    socket?.destroy();
  }

  const clients = Array.from({ length: connections }, client);
  return {
    answers,
    failures,
    async stop() {
      isOver = true;
      await Promise.all(clients);
    },
  };
}

/** The server has ended it while nothing was asked: a client sees that, and takes another one. */
const isGone = (socket: Socket): boolean => socket.destroyed || socket.readableEnded || !socket.writable;

/** A connection, once it is open. */
export async function open(port: number, localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, localAddress });
  await new Promise<void>((opened, failed) => socket.once("connect", opened).once("error", failed));
  socket.on("error", () => undefined); // "close" follows
  socket.resume();
  return socket;
}

interface Answer {
  status: number;
  body: string;
  closes: boolean;
}

/** One request, and its whole answer; rejects when the connection ends before it. */
export function ask(socket: Socket, path: string, isKept: boolean): Promise<Answer> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: shop\r\n${isKept ? "" : "Connection: close\r\n"}\r\n`);
  return answerOn(socket, `GET ${path}`);
}

/** The next answer on `socket`, one with a Content-Length. */
export function answerOn(socket: Socket, what: string): Promise<Answer> {
  return new Promise((answered, failed) => {
    let text = "";
    const read = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
      if (end < 0 || length === undefined || text.length < end + 4 + Number(length)) return;
      done();
      const closes = /\r\nconnection: close\r\n/i.test(text.slice(0, end + 2));
      answered({ status: Number(text.slice(9, 12)), body: text.slice(end + 4), closes });
    };
    const broken = () => {
      done();
      failed(new Error(`${what}: the connection ended after ${text.length} bytes of the answer.`));
    };
    const done = () => void socket.off("data", read).off("close", broken).off("end", broken);
    socket.on("data", read).on("close", broken).on("end", broken);
  });
}
