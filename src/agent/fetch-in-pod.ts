import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { AgentEvent } from "../core/agent-protocol.ts";
import { formatPodVerdict, type PodFetch, parsePodVariables, podPaths } from "../core/pod-agent.ts";
import { formatPodReport, type PodReport } from "../core/pod-report.ts";
import { formatBytes } from "../lib/bytes.ts";
import { messageOf } from "../lib/errors.ts";
import { toFailure } from "./failure.ts";
import { fillWorkspace } from "./fill-workspace.ts";

/** As long as the server is away: soon at first, then every half minute or so. */
const retryMs = [200, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/** The life of a pod's init container. Settles with its exit code: 0 when the release is ready to be started. */
export async function fetchInPod(env: Record<string, string | undefined>): Promise<number> {
  const stopping = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  let wanted: PodFetch | undefined;
  try {
    wanted = parsePodVariables(env);
    say(`fetching ${wanted.digest} of ${wanted.app}`);
    const took: Took = { fetchMs: 0 };
    const options = { ...serverOptions(wanted), signal: stopping.signal };
    await fillWorkspace(wanted, options, (event) => report(event, took));
    say("the release is ready");
    leaveMessage(wanted, formatPodReport({ digest: wanted.digest, ...took }));
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 143;
    const { reason, message } = toFailure(error);
    say(`${reason}: ${message}`);
    if (wanted) leaveMessage(wanted, formatPodVerdict({ reason, message, digest: wanted.digest }));
    return 1;
  }
}

function serverOptions({ tokenFile }: PodFetch) {
  const onRetry = (error: unknown, pauseMs: number) =>
    say(`waiting ${(pauseMs / 1_000).toFixed(1)} s: ${messageOf(error)}`);
  // Read each time: the kubelet rotates it.
  const token = tokenFile && { authorization: async () => `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` };
  return { retryMs, forever: true, onRetry, ...(token || {}) };
}

type Took = Pick<PodReport, "fetchMs" | "unpackMs">;

function report(event: AgentEvent, took: Took): void {
  if (event.event === "unpacked") {
    took.unpackMs = event.ms;
    say(`unpacked in ${event.ms} ms`);
  }
  if (event.event !== "fetched") return;
  took.fetchMs = event.ms;
  const how = event.reused ? "it lies here whole, checked" : `fetched ${formatBytes(event.bytes)}`;
  say(`${how} in ${event.ms} ms`);
}

/** For the kubelet, which shows it in the pod's status: the control plane reads there what went wrong, or how long it took. */
function leaveMessage({ terminationFile = podPaths.terminationMessage }: PodFetch, message: string): void {
  try {
    writeFileSync(terminationFile, message);
  } catch (error) {
    say(`the verdict could not be left at ${terminationFile}: ${messageOf(error)}`);
  }
}

function say(line: string): void {
  process.stdout.write(`[fetcher] ${line}\n`);
}
