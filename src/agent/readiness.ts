import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, systemCode } from "../lib/errors.ts";

/** What a probe saw. `refused` is the normal case of a program that has not got there yet. */
export type Probe =
  | { kind: "answering"; host: string }
  | { kind: "refused" }
  | { kind: "silent" }
  | { kind: "not_http"; detail: string }
  | { kind: "unhealthy"; status: number };

export interface ProbeTarget {
  port: number;
  /** Absent: any HTTP answer to `/` will do. */
  healthPath?: string | undefined;
}

/** `localhost` is ::1 to some programs and 127.0.0.1 to others. */
const hosts = ["127.0.0.1", "::1"];

/**
 * Asks until the application answers or `signal` aborts, first every few milliseconds: a small one is up in 50. Returns
 * what it saw last.
 */
export async function waitUntilAnswering(target: ProbeTarget, signal: AbortSignal): Promise<Probe> {
  let last: Probe = { kind: "refused" };
  for (let pauseMs = 10; !signal.aborted; pauseMs = Math.min(pauseMs * 1.2, 250)) {
    const seen = await probe(target, signal);
    if (seen.kind === "answering") return seen;
    if (!signal.aborted || last.kind === "refused") last = seen; // one that was cut off says less than one before
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
  return last;
}

async function probe(target: ProbeTarget, signal: AbortSignal): Promise<Probe> {
  for (const host of hosts) {
    const seen = await probeHost(host, target, signal);
    if (seen.kind !== "refused") return seen;
  }
  return { kind: "refused" };
}

function probeHost(host: string, { port, healthPath }: ProbeTarget, signal: AbortSignal): Promise<Probe> {
  return new Promise((seen) => {
    const asked = request({
      host,
      port,
      path: healthPath ?? "/",
      agent: false,
      signal,
      headers: { "user-agent": "aether-probe" },
    });
    let connected = false;
    asked.once("socket", (socket) =>
      socket.once("connect", () => {
        connected = true;
      }),
    );
    asked.setTimeout(5_000, () => asked.destroy());
    asked.once("response", (response) => {
      const status = response.statusCode ?? 0;
      asked.destroy(); // the body is of no interest, and may be endless
      const healthy = healthPath === undefined || (status >= 200 && status < 400);
      seen(healthy ? { kind: "answering", host } : { kind: "unhealthy", status });
    });
    asked.on("error", (error) => {
      const code = systemCode(error) ?? "";
      if (code.startsWith("HPE_")) return seen({ kind: "not_http", detail: messageOf(error) });
      return seen({ kind: connected ? "silent" : "refused" });
    });
    asked.end();
  });
}
