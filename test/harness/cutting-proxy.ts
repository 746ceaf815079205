import { connect, createServer, type Socket } from "node:net";

export interface Address {
  host: string;
  port: number;
}

export interface CuttingProxyOptions {
  /** Where it listens; pods reach no loopback address of this machine. */
  host?: string;
}

/**
 * A TCP proxy before `target` that goes away and comes back as told: all that passes it is cut at once. A target that is
 * a function is asked at each connection.
 */
export async function createCuttingProxy(
  target: Address | (() => Address),
  { host = "127.0.0.1" }: CuttingProxyOptions = {},
) {
  const sockets = new Set<Socket>();
  let isAway = false;
  let refusals = 0;
  const server = createServer((client) => {
    if (isAway) {
      refusals += 1;
      return void client.resetAndDestroy();
    }
    const to = typeof target === "function" ? target() : target;
    const upstream = connect(to.port, to.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}); // a cut connection is what it is for
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((listening) => server.listen(0, host, listening));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    /** How often somebody came while it was away. */
    refusals: () => refusals,
    goAway: () => {
      isAway = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    comeBack: () => {
      isAway = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}
