import type { AgentEvent } from "../core/agent-protocol.ts";
import { type PodFetch, parsePodVariables } from "../core/pod-agent.ts";
import { formatPodReport, type PodReport } from "../core/pod-report.ts";
import { formatBytes } from "../lib/bytes.ts";
import { messageOf } from "../lib/errors.ts";
import { fillWorkspace } from "./fill-workspace.ts";
import { leaveMessage, leaveVerdict, say, tokenOptions } from "./pod-words.ts";

/** As long as the server is away: soon at first, then every half minute or so. */
const retryMs = [200, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** The life of a pod's init container: the release lies in its workspace, or a verdict says why not. Settles with its exit code. */
export async function fetchInPod(env: Record<string, string | undefined>): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  let wanted: PodFetch | undefined;
  try {
    wanted = parsePodVariables(env);
    say(`fetching ${wanted.digest} of ${wanted.app}`);
    const took: Took = { fetchMs: 0 };
    const server = { retryMs, forever: true, onRetry, ...tokenOptions(wanted), signal: stopping.signal };
    await fillWorkspace(wanted, server, (event) => {
      report(event);
      if (event.event === "fetched") took.fetchMs = event.ms;
      if (event.event === "unpacked") took.unpackMs = event.ms;
    });
    say("the release is ready");
    leaveMessage(wanted, formatPodReport({ digest: wanted.digest, ...took }));
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 143;
    leaveVerdict(error, wanted);
    return 1;
  }
}

function onRetry(error: unknown, pauseMs: number): void {
  say(`waiting ${(pauseMs / 1_000).toFixed(1)} s: ${messageOf(error)}`);
}

type Took = Pick<PodReport, "fetchMs" | "unpackMs">;

/** What was fetched and unpacked, in words. */
export function report(event: AgentEvent): void {
  if (event.event === "unpacked") say(`unpacked in ${event.ms} ms`);
  if (event.event !== "fetched") return;
  const how = event.reused ? "it lies here whole, checked" : `fetched ${formatBytes(event.bytes)}`;
  say(`${how} in ${event.ms} ms`);
}
