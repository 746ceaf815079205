import { connect, createServer, type Socket } from "node:net";

export interface Faults {
  /** Cuts a connection once so many bytes went up; taken from the front, one each connection. */
  cutAfterBytes?: number[];
}

/** A TCP proxy to 127.0.0.1 on a free port, that breaks connections as told and is perfect afterwards. */
export async function flakyProxy(targetPort: () => number, { cutAfterBytes = [] }: Faults) {
  const sockets = new Set<Socket>();
  let cuts = 0;
  let bytesUp = 0;
  const server = createServer((client) => {
    const upstream = connect(targetPort(), "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    let up = 0;
    client.on("data", (chunk) => {
      up += chunk.length;
      bytesUp += chunk.length;
      const [limit] = cutAfterBytes;
      if (limit !== undefined && up > limit) {
        cutAfterBytes.shift();
        cuts += 1;
        client.resetAndDestroy();
        return;
      }
      upstream.write(chunk);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    port,
    cuts: () => cuts,
    /** What clients have sent in all. */
    bytesUp: () => bytesUp,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}
