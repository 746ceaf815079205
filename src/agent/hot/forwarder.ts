import { connect, createServer, type Socket } from "node:net";
import type { PeerTable } from "./peer-table.ts";

/** Where a version listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** Where it looks up whose a connection is. */
  readonly peers: Pick<PeerTable, "set" | "clear">;
}

/** Owns the port that clients know and hands their connections on, whole, to the version that serves. */
export interface Forwarder {
  /** New connections go to `target` from now on, those that wait as well. Listens, if it did not. */
  serve(target: Target): Promise<void>;
  /** New connections wait for the next `serve`, for a while. */
  hold(): void;
  /** Stops listening, so that nobody takes the application for ready; what is open stays open. */
  pause(): void;
  /** How many connections `target` has not ended yet. */
  open(target: Target): number;
  /** Settles when `target` has ended its last connection. */
  emptied(target: Target): Promise<void>;
  /** Stops listening and cuts what is left. */
  close(): void;
}

export interface ForwarderOptions {
  port: number;
  /** Absent: all addresses, as a program listens that only says its port. */
  host?: string;
  /** A connection waits so long for a version that serves. */
  holdMs?: number;
}

/** So long a client may keep its half of a connection that the application has ended. */
const lingerMs = 10_000;
const retryMs = 50;

/**
 * Forwards TCP and reads none of it: TLS, WebSockets and uploads pass as they are. Handing over the sockets themselves
 * would need an IPC channel, which ends at the first shell or npm between us and the application.
 */
export function createForwarder({ port, host, holdMs = 10_000 }: ForwarderOptions): Forwarder {
  let target: Target | undefined;
  const waiting = new Set<Socket>();
  const clients = new Set<Socket>();
  const open = new Map<Target, number>();
  const emptied = new Map<Target, (() => void)[]>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept);
  server.on("error", () => undefined); // `listen` tells who waits for it; an error of accept(2) costs that connection

  function accept(client: Socket): void {
    clients.add(client);
    client.on("error", () => undefined); // "close" follows
    client.once("close", () => clients.delete(client));
    if (target === undefined) wait(client);
    else forward(client, target);
  }

  function wait(client: Socket): void {
    const limit = setTimeout(() => client.destroy(), holdMs);
    const leave = () => {
      clearTimeout(limit);
      waiting.delete(client);
    };
    waiting.add(client);
    client.once("close", leave).once("aether-go", leave);
  }

  function forward(client: Socket, to: Target, since = performance.now()): void {
    const upstream = connect({ host: to.host, port: to.port, allowHalfOpen: true, noDelay: true });
    let isOpen = true;
    let isConnected = false;
    open.set(to, (open.get(to) ?? 0) + 1);
    const ended = () => {
      if (isOpen) count(to);
      isOpen = false;
    };
    upstream.once("connect", () => {
      isConnected = true;
      const ownPort = upstream.localPort ?? 0;
      to.peers.set(ownPort, client);
      upstream.once("close", () => to.peers.clear(ownPort));
      client.pipe(upstream).pipe(client);
    });
    upstream.on("error", () => undefined); // "close" follows
    upstream.once("end", () => {
      ended();
      const limit = setTimeout(() => client.destroy(), lingerMs);
      client.once("close", () => clearTimeout(limit));
    });
    upstream.once("close", (hadError) => {
      ended();
      if (!isConnected && !client.destroyed) return retry(client, to, since); // no byte was lost
      if (hadError || !upstream.readableEnded) client.destroy();
    });
    client.once("close", (hadError) => {
      if (hadError || !client.readableEnded) upstream.destroy();
    });
  }

  function retry(client: Socket, failed: Target | undefined, since: number): void {
    if (target === undefined) wait(client);
    else if (target !== failed) forward(client, target, since);
    else if (performance.now() - since > holdMs) client.destroy();
    else setTimeout(() => retry(client, undefined, since), retryMs); // it crashed a moment ago, or is overrun
  }

  function count(of: Target): void {
    const left = (open.get(of) ?? 1) - 1;
    if (left > 0) return void open.set(of, left);
    open.delete(of);
    for (const tell of emptied.get(of) ?? []) tell();
    emptied.delete(of);
  }

  return {
    async serve(next) {
      target = next;
      for (const client of waiting) {
        client.emit("aether-go");
        forward(client, next);
      }
      if (server.listening) return;
      await new Promise<void>((listening, failed) => {
        server.once("error", failed);
        server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
          server.off("error", failed);
          listening();
        });
      });
    },
    hold() {
      target = undefined;
    },
    pause() {
      target = undefined;
      if (server.listening) server.close();
      for (const client of waiting) client.destroy();
    },
    open: (of) => open.get(of) ?? 0,
    emptied(of) {
      if (!open.has(of)) return Promise.resolve();
      return new Promise((tell) => emptied.set(of, [...(emptied.get(of) ?? []), tell]));
    },
    close() {
      if (server.listening) server.close();
      for (const client of clients) client.destroy();
    },
  };
}
