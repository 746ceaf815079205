import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy before a database, that goes away and comes back as told, and swallows the reply to a COMMIT once. */
export async function createDatabaseProxy(url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let away = false;
  let cutting = 0;
  let cuts = 0;
  const server = createServer((client) => {
    if (away) return void client.resetAndDestroy();
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on("data", (chunk) => {
      if (cutting === 0 || !chunk.includes("COMMIT\0")) return void client.write(chunk);
      cutting -= 1; // it is done, and nobody hears of it
      cuts += 1;
      client.resetAndDestroy();
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(typeof address === "object" && address ? address.port : 0);
  return {
    url: proxied.href,
    /** Cuts the next `times` connections between a COMMIT and its reply. */
    cutCommits: (times: number) => {
      cutting = times;
    },
    cuts: () => cuts,
    goAway: () => {
      away = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    comeBack: () => {
      away = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}
