import { podContainers } from "../../core/pod-agent.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { appResources } from "../../k8s/builders/resources.ts";
import { type Cause, container, type LogPlace, lastEnd, type Patience, unstartable } from "./cause.ts";
import type { Pod, Warning } from "./world.ts";

interface Observed {
  release: AppRelease;
  /** Of this pod. */
  warnings: Warning[];
  patience: Patience;
}

/** Why the application does not serve, or undefined while it may. */
export function appFailure(pod: Pod, observed: Observed): Cause | undefined {
  return (
    unstartable(pod, podContainers.app) ??
    unanswered(pod, observed) ?? // first: the kubelet ends such a container, which then looks like a crash
    ended(pod, observed.release)
  );
}

function ended(pod: Pod, release: AppRelease): Cause | undefined {
  const end = lastEnd(pod, podContainers.app);
  if (end === undefined) return undefined;
  const { restarts, isWaiting, log } = end;
  const { exitCode, reason, signal } = end.ended;
  const command = release.start === undefined ? "The application" : `\`${release.start}\``;
  if (reason === "OOMKilled") {
    const { memory } = appResources(release).limits ?? {};
    return { reason: "oom_killed", message: `${command} ran out of memory; its limit is ${memory}.`, log };
  }
  if (reason === "StartError" || reason === "ContainerCannotRun") {
    return { reason: "crash_loop", message: `The container cannot be started: ${end.ended.message}`, log };
  }
  if (exitCode === 0) {
    const why = "A web application has to keep running: check the start command.";
    return { reason: "exited", message: `${command} ended with exit code 0. ${why}`, log };
  }
  if (restarts < 2 && !(restarts >= 1 && isWaiting)) return undefined; // once may be chance
  const how = signal ? `was ended by signal ${signal}` : `exited with code ${exitCode}`;
  return { reason: "crash_loop", message: `${command} ${how}, ${times(restarts, isWaiting)}.`, log };
}

const times = (restarts: number, isWaiting: boolean): string => {
  const count = restarts + (isWaiting ? 1 : 0);
  return count === 2 ? "twice" : `${count} times`;
};

/** It runs, and no start-up probe ever succeeded: for too long, or until the kubelet ended it for that. */
function unanswered(pod: Pod, { release, warnings, patience }: Observed): Cause | undefined {
  const status = container(pod, podContainers.app);
  const failed = warnings
    .filter(({ reason, message }) => reason === "Unhealthy" && /^(Startup|Readiness) probe/.test(message))
    .toSorted((one, other) => (one.at < other.at ? 1 : -1))[0];
  if (status === undefined || failed === undefined || status.ready) return undefined;
  const runningMs = patience.now - Date.parse(status.state?.running?.startedAt ?? "");
  if (runningMs >= patience.forMs) return silence(failed, { release, forMs: runningMs, log: placeOf(pod, false) });
  const before = status.lastState?.terminated;
  if (before?.startedAt === undefined || before.finishedAt === undefined) return undefined;
  const ranMs = Date.parse(before.finishedAt) - Date.parse(before.startedAt);
  if (ranMs < probedMs) return undefined;
  return silence(failed, { release, forMs: ranMs, log: placeOf(pod, status.state?.terminated === undefined) });
}

/** After so long without an answer the kubelet ends the container (`k8s/builders/probes.ts`: a minute). */
const probedMs = 55_000;

const placeOf = (pod: Pod, previous: boolean): LogPlace => ({
  pod: pod.metadata?.name ?? "",
  container: podContainers.app,
  previous,
});

function silence(
  { message }: Warning,
  { release, forMs, log }: { release: AppRelease; forMs: number; log: LogPlace },
): Cause {
  const { port = 3000, health } = release;
  const within = `within ${Math.round(forMs / 1000)} s`;
  if (/dial tcp/.test(message)) {
    const advice = "have it listen on the port that PORT names, on all addresses (0.0.0.0 or ::)";
    return {
      reason: "not_listening",
      message: `The application runs but does not answer on port ${port} (${within}): ${advice}.`,
      log,
    };
  }
  const said = message.replace(/^(Startup|Readiness) probe failed: /, "").trim();
  return {
    reason: "probe_failed",
    message: `GET ${health?.path ?? "/"} on port ${port} failed ${within}: ${said}.`,
    log,
  };
}
