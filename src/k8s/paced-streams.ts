import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A connection of client-node's: `ws`, as Bun has it. */
export interface PodSocket {
  readonly OPEN: number;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  pause(): void;
  resume(): void;
  close(): void;
  terminate(): void;
  addEventListener(type: "close", listener: () => void): void;
}

// client-node sends what it is given and writes what it gets without asking whether there is room: a command that prints
// 200 MB for somebody with a slow line would have them all in our memory.

/** More than this waiting to be sent, and the source is not read on. */
const waitingBytes = 512 * 1024;
const pollMs = 5;

/** `source`, read no faster than the connection takes it. An endless one has no end, whatever its source has. */
export function pacedInput(
  source: Readable,
  connection: Promise<PodSocket>,
  { isEndless = false }: { isEndless?: boolean } = {},
): Readable {
  async function* paced() {
    const socket = await connection;
    for await (const chunk of source) {
      while (socket.bufferedAmount > waitingBytes && socket.readyState === socket.OPEN) await sleep(pollMs);
      yield Buffer.from(chunk);
    }
    if (isEndless) await new Promise<never>(() => {});
  }
  const stream = Readable.from(paced(), { objectMode: false });
  stream.on("error", () => undefined); // whoever gave the source ends the session
  return stream;
}

/** A stream that ends `target` with itself, and lets the connection wait while `target` is full. */
export function pacedOutput(target: Writable, connection: Promise<PodSocket>): Writable {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      if (target.destroyed) return done();
      if (target.write(chunk)) return done();
      void connection.then((socket) => waitForRoom(target, socket)).then(() => done(), done);
    },
    final(done) {
      target.end(() => done());
      if (target.destroyed) done();
    },
  });
  stream.on("error", () => undefined);
  return stream;
}

async function waitForRoom(target: Writable, socket: PodSocket): Promise<void> {
  if (!target.writableNeedDrain) return;
  hold(socket, 1);
  await new Promise<void>((resolve) => {
    for (const event of ["drain", "close"]) target.once(event, resolve);
  });
  hold(socket, -1);
}

const holds = new WeakMap<PodSocket, number>();

/** Two outputs may be full, and one of them get room. */
function hold(socket: PodSocket, change: 1 | -1): void {
  const before = holds.get(socket) ?? 0;
  holds.set(socket, before + change);
  if (before === 0 && change === 1) socket.pause();
  if (before === 1 && change === -1) socket.resume();
}
