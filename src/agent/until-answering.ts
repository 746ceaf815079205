import { setTimeout as sleep } from "node:timers/promises";
import type { AppProcess, Exit } from "./app-process.ts";
import { watchElsewhere } from "./elsewhere.ts";
import { listeningPorts } from "./listening-ports.ts";
import { type Probe, waitUntilAnswering } from "./readiness.ts";

/** Listening elsewhere for this share of the start time-out is a verdict: 15 of 60 s. */
const settledShare = 0.25;

export interface Start {
  app: AppProcess;
  port: number;
  healthPath: string | undefined;
  startTimeoutMs: number;
  /** Nobody waits for it any more. */
  stop: AbortSignal;
}

/** What became of a start. */
export interface Started {
  /** Set when it ended. */
  exit?: Exit;
  /** What the last probe saw. */
  seen?: Probe;
  waitedMs: number;
}

/** From the start of an application until it answers, ends, or is given up. */
export async function untilAnswering({ app, port, healthPath, startTimeoutMs, stop }: Start): Promise<Started> {
  const begin = performance.now();
  const over = new AbortController();
  const exited = app.exited.then((exit) => {
    over.abort();
    return exit;
  });
  const giveUp = new AbortController(); // AbortSignal.any needs a newer Node than 18.0
  const limit = setTimeout(() => giveUp.abort(), startTimeoutMs);
  const forMs = startTimeoutMs * settledShare;
  const stopLooking = watchElsewhere({ pgid: app.pid, port, forMs }, () => giveUp.abort());
  for (const signal of [over.signal, stop]) {
    if (signal.aborted) giveUp.abort();
    signal.addEventListener("abort", () => giveUp.abort(), { once: true });
  }
  const seen = await answering({ app, port, healthPath }, giveUp.signal);
  clearTimeout(limit);
  stopLooking();
  const waitedMs = performance.now() - begin;
  return over.signal.aborted ? { exit: await exited, waitedMs } : { seen, waitedMs };
}

/** An answer counts only when the application itself gives it, not a stranger that holds the port. */
async function answering(
  { app, port, healthPath }: Pick<Start, "app" | "port" | "healthPath">,
  signal: AbortSignal,
): Promise<Probe> {
  for (;;) {
    const seen = await waitUntilAnswering({ port, healthPath }, signal);
    if (seen.kind !== "answering") return seen;
    if (listeningPorts(app.pid)?.includes(port) !== false) return seen;
    await sleep(50, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return { kind: "refused" };
  }
}
