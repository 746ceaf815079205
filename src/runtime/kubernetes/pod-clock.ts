import { podContainers } from "../../core/pod-agent.ts";
import { parsePodReport } from "../../core/pod-report.ts";
import type { Stages } from "../../core/replica-stages.ts";
import { container } from "./cause.ts";
import type { Pod } from "./world.ts";

/** When pods came how far, as the watch showed it: Kubernetes itself writes down whole seconds. */
export interface PodClock {
  see(pod: Pod): void;
  forget(pod: Pod): void;
  /** Undefined until it was ready for the first time. */
  stages(pod: Pod): Stages | undefined;
}

const steps = ["created", "scheduled", "fetched", "ready"] as const;
type Step = (typeof steps)[number];
type Seen = Partial<Record<Step, number>>;

/** A clock for pods that are seen from their beginning; of others only what their agents say is known. */
export function createPodClock(now: () => number = () => performance.now()): PodClock {
  const seen = new Map<string, Seen>();
  return {
    see(pod) {
      const { uid = "" } = pod.metadata ?? {};
      const at = seen.get(uid) ?? (isReached(pod, "scheduled") ? undefined : {});
      if (at === undefined) return; // its beginning was missed
      seen.set(uid, at);
      for (const step of steps) if (isReached(pod, step)) at[step] ??= now();
    },
    forget: ({ metadata }) => void seen.delete(metadata?.uid ?? ""),
    stages(pod) {
      const at = seen.get(pod.metadata?.uid ?? "") ?? {};
      if (at.ready === undefined && !isReached(pod, "ready")) return undefined;
      return { ...seenStages(at, reportOf(pod)), ...reportOf(pod) };
    },
  };
}

function seenStages({ created, scheduled, fetched, ready }: Seen, { fetch = 0, unpack = 0 }: Stages): Stages {
  if (created === undefined || scheduled === undefined || fetched === undefined || ready === undefined) return {};
  return { schedule: scheduled - created, boot: fetched - scheduled - fetch - unpack, ready: ready - fetched };
}

/** What the agent measured. */
function reportOf(pod: Pod): Stages {
  const report = parsePodReport(fetchEnd(pod)?.message ?? "");
  if (report === undefined || report.digest !== pod.metadata?.annotations?.["aether.dev/digest"]) return {};
  return { fetch: report.fetchMs, ...(report.unpackMs === undefined ? {} : { unpack: report.unpackMs }) };
}

function isReached(pod: Pod, step: Step): boolean {
  if (step === "created") return true;
  if (step === "fetched") return fetchEnd(pod)?.exitCode === 0;
  const type = step === "scheduled" ? "PodScheduled" : "Ready";
  return pod.status?.conditions?.some((one) => one.type === type && one.status === "True") ?? false;
}

const fetchEnd = (pod: Pod) => container(pod, podContainers.fetch)?.state?.terminated;
