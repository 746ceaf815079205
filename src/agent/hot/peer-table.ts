import { closeSync, openSync, writeSync } from "node:fs";
import type { Socket } from "node:net";

/** Who is at the other end of the connections of one version. */
export interface PeerTable {
  /** The connection that leaves from our `port` is `client`'s. */
  set(port: number, client: Socket): void;
  clear(port: number): void;
  close(): void;
}

/** Of an entry: an address, a blank, a port, and blanks. */
const entryBytes = 64;

/**
 * A file in which `preload.cjs` looks up whose a connection is, by the port it came from: a program that sees every client at
 * 127.0.0.1 takes strangers for its own machine. Written before the first byte is forwarded, and read without waiting.
 */
export function createPeerTable(path: string): PeerTable {
  let file: number | undefined = openSync(path, "w", 0o600); // sparse: it takes the room of the ports in use
  function write(port: number, text: string): void {
    if (file === undefined) return; // its version has ended
    try {
      writeSync(file, text.padEnd(entryBytes), port * entryBytes);
    } catch {
      // No room is left: that connection shows the supervisor's address.
    }
  }
  return {
    set: (port, client) => write(port, `${client.remoteAddress ?? ""} ${client.remotePort ?? ""}`),
    clear: (port) => write(port, ""),
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
