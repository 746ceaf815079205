import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { groupMembers } from "../lib/processes.ts";

/** The TCP ports a process group listens on, or undefined where the system does not tell (only Linux does). */
export function listeningPorts(pgid: number): number[] | undefined {
  if (process.platform !== "linux") return undefined;
  const sockets = new Set(groupMembers(pgid).flatMap(socketsOf));
  const ports = ["/proc/net/tcp", "/proc/net/tcp6"]
    .flatMap(listeners)
    .filter((listener) => sockets.has(listener.inode))
    .map((listener) => listener.port);
  return [...new Set(ports)].sort((a, b) => a - b);
}

/** Inodes of the sockets a process holds open. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    return []; // it ended while we looked
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed while we looked
  }
}

/** Rows of /proc/net/tcp in state 0A (LISTEN): `sl local_address rem_address st … inode`. */
function listeners(table: string): { port: number; inode: string }[] {
  const rows = readTable(table).slice(1);
  return rows.flatMap((row) => {
    const columns = row.trim().split(/\s+/);
    const port = Number.parseInt(columns[1]?.split(":")[1] ?? "", 16);
    return columns[3] === "0A" && Number.isInteger(port) ? [{ port, inode: columns[9] ?? "" }] : [];
  });
}

function readTable(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return []; // a kernel without IPv6 has no tcp6
  }
}
