import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { AgentEvent } from "../core/agent-protocol.ts";
import { formatPodVerdict, type PodFetch, parsePodVariables, podPaths } from "../core/pod-agent.ts";
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
    await fillWorkspace(wanted, { ...serverOptions(wanted), signal: stopping.signal }, report);
    say("the release is ready");
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 143;
    const { reason, message } = toFailure(error);
    say(`${reason}: ${message}`);
    if (wanted) leaveVerdict(wanted, formatPodVerdict({ reason, message, digest: wanted.digest }));
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

function report(event: AgentEvent): void {
  if (event.event === "unpacked") say(`unpacked in ${event.ms} ms`);
  if (event.event !== "fetched") return;
  const how = event.reused ? "it lies here whole, checked" : `fetched ${formatBytes(event.bytes)}`;
  say(`${how} in ${event.ms} ms`);
}

/** For the kubelet, which shows it in the pod's status: the control plane reads the cause there. */
function leaveVerdict({ terminationFile = podPaths.terminationMessage }: PodFetch, verdict: string): void {
  try {
    writeFileSync(terminationFile, verdict);
  } catch (error) {
    say(`the verdict could not be left at ${terminationFile}: ${messageOf(error)}`);
  }
}

function say(line: string): void {
  process.stdout.write(`[fetcher] ${line}\n`);
}
