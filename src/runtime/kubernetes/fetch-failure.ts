import { parsePodVerdict } from "../../core/pod-agent.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { runtimeImage } from "../../k8s/builders/image.ts";
import { type Cause, fetchingContainer, type LogPlace, lastEnd, unstartable } from "./cause.ts";
import type { Pod } from "./world.ts";

/** Why the init container does not bring the release, or undefined while it may. */
export function fetchFailure(pod: Pod, release: AppRelease): Cause | undefined {
  const name = fetchingContainer(pod);
  const cannot = unstartable(pod, name);
  if (cannot) return cannot;
  const end = lastEnd(pod, name);
  if (end === undefined || end.ended.exitCode === 0) return undefined;
  const { ended, restarts, log } = end;
  const verdict = parsePodVerdict(ended.message ?? "");
  if (verdict?.digest === release.digest) return { reason: verdict.reason, message: verdict.message, log };
  if (ended.reason === "OOMKilled") {
    return { reason: "oom_killed", message: "The agent ran out of memory while it unpacked the release.", log };
  }
  if (ended.reason === "StartError" || ended.reason === "ContainerCannotRun") {
    const image = runtimeImage(release);
    return {
      reason: "image_pull",
      message: `${image} cannot run the agent; it needs Node 18 or newer: ${ended.message}`,
    };
  }
  if (restarts < 2) return undefined; // ended from outside: the kubelet starts it again
  const message = `The agent that fetches the release ended with exit code ${ended.exitCode}, three times.`;
  return { reason: "crash_loop", message, log };
}

/** The agent asks for ever while the server is away; it says so in its log. */
export function waitingForServer(lines: string[], place: Omit<LogPlace, "previous">): Cause | undefined {
  const [, why] = /^\[fetcher\] waiting [^:]*: (.*)$/.exec(lines.at(-1) ?? "") ?? [];
  if (why === undefined) return undefined;
  const told = /[.!?]$/.test(why) ? why : `${why}.`;
  const variable = /certificate/i.test(why) ? "AETHER_CA_FILE" : "AETHER_INTERNAL_URL";
  return {
    reason: "server_unreachable",
    message: `The pod does not reach this server or its storage: ${told} Check ${variable}.`,
    log: { ...place, previous: false },
  };
}
