import type { Reload } from "../../core/agent-report.ts";
import { isDigest } from "../../core/digest.ts";
import { podContainers } from "../../core/pod-agent.ts";
import type { Stages } from "../../core/replica-stages.ts";
import type { ReplicaStatus } from "../runtime.ts";
import { type Cause, container, fetchingContainer } from "./cause.ts";
import { lastReport } from "./hot-verdict.ts";
import type { Pod } from "./world.ts";

/** What a pod's own status does not tell. */
export interface PodKnowledge {
  /** Why it does not serve. */
  causeOf(pod: Pod): Cause | undefined;
  stagesOf(pod: Pod): Stages | undefined;
  /** What it has loaded since it was made. */
  loadedOf(pod: Pod): Pick<ReplicaStatus, "digest" | "version"> | undefined;
}

const nothingKnown: PodKnowledge = { causeOf: () => undefined, stagesOf: () => undefined, loadedOf: () => undefined };

/** The pods of an application as replicas, newest release first. */
export function toReplicas(pods: Pod[], known: PodKnowledge = nothingKnown): ReplicaStatus[] {
  return pods
    .map((pod) => toReplica(pod, known))
    .filter((replica) => replica !== undefined)
    .sort((one, other) => other.version - one.version || (one.name < other.name ? -1 : 1));
}

function toReplica(pod: Pod, { causeOf, stagesOf, loadedOf }: PodKnowledge): ReplicaStatus | undefined {
  const { name = "", annotations = {}, creationTimestamp = "" } = pod.metadata ?? {};
  const digest = annotations["aether.dev/digest"] ?? "";
  if (!isDigest(digest)) return undefined; // somebody's own pod with our label
  const restarts = [fetchingContainer(pod), podContainers.app].map((one) => container(pod, one)?.restartCount ?? 0);
  const state = stateOf(pod, creationTimestamp);
  const cause = state.state === "running" || state.state === "stopping" ? undefined : causeOf(pod);
  const stages = stagesOf(pod);
  const reload = lastReload(pod);
  return {
    name,
    digest,
    version: Number(annotations["aether.dev/version"]),
    ...loadedOf(pod),
    ...state,
    ...(stages && { stages }),
    ...(reload && { reload }),
    ...(cause && { failure: { reason: cause.reason, message: cause.message, log: [] } }),
    restarts: restarts.reduce((sum, count) => sum + count, 0),
  };
}

/** The log of what did not come up is told with the deployment. */
function lastReload(pod: Pod): Reload | undefined {
  const report = lastReport(pod);
  if (report === undefined) return undefined;
  const { digest, outcome, reason, message, ms, at } = report;
  return { digest, outcome, ms, at, ...(reason && { reason }), ...(message && { message }) };
}

function stateOf(pod: Pod, createdAt: string): Pick<ReplicaStatus, "state" | "since"> {
  const { deletionTimestamp } = pod.metadata ?? {};
  if (deletionTimestamp !== undefined) return { state: "stopping", since: at(deletionTimestamp) };
  const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
  const since = at(ready?.lastTransitionTime ?? createdAt);
  if (ready?.status === "True") return { state: "running", since };
  if (pod.status?.phase === "Failed") return { state: "failed", since };
  const { restartCount = 0 } = container(pod, podContainers.app) ?? {};
  return { state: restartCount > 0 ? "restarting" : "starting", since };
}

/** Kubernetes writes whole seconds; we write milliseconds everywhere. */
const at = (time: string): string => new Date(time).toISOString();
