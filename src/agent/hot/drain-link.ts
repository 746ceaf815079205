import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { createLineSplitter } from "../line-splitter.ts";

/** How the Node.js processes of one version are told that it is being replaced, and tell what they still have to do. */
export interface DrainLink {
  drain(): void;
  /** For how long nothing was under way in any process; 0 where no process has linked. What is left then are idle connections. */
  calmMs(): number;
  close(): Promise<void>;
}

/**
 * A Unix socket that the preload connects to: a signal would collide with the application's own, and an IPC channel is
 * lost behind npm. Anyone in the container may connect and lie, about himself only.
 */
export async function openDrainLink(path: string, onChange: () => void): Promise<DrainLink> {
  const active = new Map<Socket, number | undefined>();
  let isDraining = false;
  let lastAt = performance.now();
  const server = createServer((socket) => {
    active.set(socket, undefined);
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => {
      active.delete(socket);
      lastAt = performance.now();
      onChange();
    });
    if (isDraining) socket.write("drain\n");
    const lines = createLineSplitter();
    socket.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) active.set(socket, Number(line));
      lastAt = performance.now(); // each answer is a line, so one that comes and goes between two looks counts
      onChange();
    });
  });
  await rm(path, { force: true });
  await new Promise<void>((listening, failed) => server.once("error", failed).listen(path, listening));
  return {
    drain() {
      isDraining = true;
      for (const socket of active.keys()) socket.write("drain\n");
    },
    calmMs() {
      const isCalm = active.size > 0 && [...active.values()].every((count) => count === 0);
      return isCalm ? performance.now() - lastAt : 0;
    },
    async close() {
      for (const socket of active.keys()) socket.destroy();
      await new Promise((closed) => server.close(closed)); // removes the file, too
    },
  };
}
