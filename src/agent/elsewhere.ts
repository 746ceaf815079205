import { listeningPorts } from "./listening-ports.ts";

/**
 * Calls `settled` once the process group has listened on other ports only, and on the same ones, for `forMs`: it will
 * not come to `port` any more. Nothing happens where the system does not tell. Returns how to stop looking.
 */
export function watchElsewhere(
  { pgid, port, forMs }: { pgid: number; port: number; forMs: number },
  settled: () => void,
): () => void {
  let known = "";
  let since = performance.now();
  const timer = setInterval(() => {
    const ports = listeningPorts(pgid) ?? [];
    const now = ports.includes(port) ? "" : ports.join();
    if (now !== known) since = performance.now();
    known = now;
    if (known === "" || performance.now() - since < forMs) return;
    clearInterval(timer);
    settled();
  }, forMs / 20);
  return () => clearInterval(timer);
}
