import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy before `target` that goes away and comes back as told: all that passes it is cut at once. */
export async function createCuttingProxy(target: { host: string; port: number }) {
  const sockets = new Set<Socket>();
  let isAway = false;
  let refusals = 0;
  const server = createServer((client) => {
    if (isAway) {
      refusals += 1;
      return void client.resetAndDestroy();
    }
    const upstream = connect(target.port, target.host);
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
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
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
