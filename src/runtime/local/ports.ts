import { createServer } from "node:net";

/** Ports on 127.0.0.1 for replicas. */
export interface Ports {
  /** A port that is free now and that no other replica holds. */
  take(): Promise<number>;
  release(port: number): void;
}

/** The kernel chooses; what is handed out is not handed out again before it is released. */
export function createPorts(): Ports {
  const taken = new Set<number>();
  return {
    async take() {
      for (;;) {
        const port = await freePort();
        if (taken.has(port)) continue;
        taken.add(port);
        return port;
      }
    },
    release(port) {
      taken.delete(port);
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => found(port));
    });
  });
}
