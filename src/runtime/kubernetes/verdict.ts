import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { appFailure } from "./app-failure.ts";
import { type Cause, container, fetchingContainer, type Patience } from "./cause.ts";
import { fetchFailure, waitingForServer } from "./fetch-failure.ts";
import { isReload, judgeReports } from "./hot-verdict.ts";
import type { Deployment, Pod, ReplicaSet, Warning } from "./world.ts";

/** What the cluster shows of one release. */
export interface ReleaseView {
  release: AppRelease;
  deployment: Deployment | undefined;
  /** Of this release, told by its annotation. */
  replicaSet: ReplicaSet | undefined;
  pods: Pod[];
  warnings: Warning[];
  /** Milliseconds since 1970: when it was first wanted by this server. */
  begunAt?: number;
  /** The last lines of init containers that have run for long, by pod. */
  fetchLogs?: ReadonlyMap<string, string[]>;
}

/** `unknown` is nothing yet; `pod` of it: the last lines of its init container would tell more. */
export type Judgement =
  | { is: "running" }
  | ({ is: "failed"; lines?: string[] } & Cause)
  | { is: "unknown"; readFetchLogOf?: string };

/** What the cluster's state says of a release, however it came about: the same state is always judged the same. */
export function judge(view: ReleaseView, patience: Patience): Judgement {
  const { release, pods, warnings } = view;
  if (release.devHot) {
    const said = judgeReports(view, patience);
    if (said.is !== "unknown" || isReload(release)) return said;
  } else if (isAvailable(view)) return { is: "running" };
  const live = pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  for (const pod of live) {
    const cause = podCause(pod, { release, warnings, patience });
    if (cause) return { is: "failed", ...cause };
  }
  const cause = refused(view, live) ?? overdue(view);
  if (cause) return { is: "failed", ...cause };
  return fetching(live, view, patience);
}

/** Why a pod of the release does not serve, or undefined while it may. */
export function podCause(
  pod: Pod,
  { release, warnings, patience }: Pick<ReleaseView, "release" | "warnings"> & { patience: Patience },
): Cause | undefined {
  const own = warnings.filter((warning) => warning.pod === pod.metadata?.name);
  return (
    evicted(pod) ??
    unscheduled(pod, patience) ??
    fetchFailure(pod, release) ??
    appFailure(pod, { release, warnings: own, patience }) ??
    unstarted(pod, own, patience)
  );
}

/** The controller has seen what we wrote, and a replica of this very release serves. */
function isAvailable({ deployment, replicaSet, release }: ReleaseView): boolean {
  if (deployment?.metadata?.annotations?.["aether.dev/deployment"] !== release.deploymentId) return false;
  const { generation = 0 } = deployment.metadata;
  if ((deployment.status?.observedGeneration ?? 0) < generation) return false;
  // None is wanted. (That the Deployment says none may be another server's, which found that the release fails.)
  return release.replicas === 0 || (replicaSet?.status?.availableReplicas ?? 0) >= 1;
}

function evicted({ status }: Pod): Cause | undefined {
  if (status?.phase !== "Failed" || status.reason !== "Evicted" || !/emptydir/i.test(status.message ?? "")) return;
  return { reason: "disk_full", message: `The pod outgrew its disk: ${sentence(status.message)}` };
}

function unscheduled({ status }: Pod, { now, forMs }: Patience): Cause | undefined {
  const condition = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (condition?.status !== "False" || condition.reason !== "Unschedulable") return undefined;
  if (now - Date.parse(condition.lastTransitionTime ?? "") < forMs) return undefined; // a node may be on its way
  return { reason: "unschedulable", message: `No node has room for the pod: ${sentence(condition.message)}` };
}

/** Volumes, the network, a missing Secret: what only events tell, and what may pass. */
function unstarted(pod: Pod, warnings: Warning[], { now, forMs }: Patience): Cause | undefined {
  const { state, lastState } = container(pod, fetchingContainer(pod)) ?? {};
  const isScheduled = pod.status?.conditions?.some(({ type, status }) => type === "PodScheduled" && status === "True");
  if (!isScheduled || state?.running || state?.terminated || lastState?.terminated) return undefined;
  const { startTime } = pod.status ?? {};
  if (startTime === undefined || now - Date.parse(startTime) < forMs) return undefined;
  const newest = warnings.toSorted((one, other) => (one.at < other.at ? 1 : -1))[0];
  if (newest === undefined) return undefined;
  const pull = warnings.find(({ message }) => message.startsWith("Failed to pull image"));
  if (pull) return { reason: "image_pull", message: sentence(pull.message) };
  return {
    reason: "progress_deadline",
    message: `The pod does not start (${newest.reason}): ${sentence(newest.message)}`,
  };
}

/** No pod could even be made. */
function refused({ replicaSet }: ReleaseView, pods: Pod[]): Cause | undefined {
  const condition = replicaSet?.status?.conditions?.find(({ type }) => type === "ReplicaFailure");
  if (pods.length > 0 || condition?.status !== "True" || condition.reason !== "FailedCreate") return undefined;
  const said = condition.message ?? "";
  if (/serviceaccount .* not found/i.test(said)) return undefined; // made just now
  if (/exceeded quota|must specify/.test(said)) {
    return { reason: "quota_exceeded", message: `The namespace's quota leaves no room for a pod: ${sentence(said)}` };
  }
  return { reason: "admission_denied", message: `The cluster refuses the pod: ${sentence(said)}` };
}

function overdue({ deployment, replicaSet }: ReleaseView): Cause | undefined {
  const condition = deployment?.status?.conditions?.find(({ type }) => type === "Progressing");
  const name = replicaSet?.metadata?.name;
  if (name === undefined || condition?.reason !== "ProgressDeadlineExceeded") return undefined;
  if (!condition.message?.includes(`"${name}"`)) return undefined; // said of the release before
  return { reason: "progress_deadline", message: `No replica became ready in time: ${sentence(condition.message)}` };
}

function fetching(pods: Pod[], { fetchLogs }: ReleaseView, patience: Patience): Judgement {
  for (const pod of pods) {
    const name = pod.metadata?.name ?? "";
    const startedAt = container(pod, fetchingContainer(pod))?.state?.running?.startedAt;
    if (startedAt === undefined || patience.now - Date.parse(startedAt) < patience.forMs) continue;
    const lines = fetchLogs?.get(name);
    if (lines === undefined) return { is: "unknown", readFetchLogOf: name };
    const cause = waitingForServer(lines, { pod: name, container: fetchingContainer(pod) });
    if (cause) return { is: "failed", ...cause };
  }
  return { is: "unknown" };
}

const sentence = (said = ""): string => (/[.!?]$/.test(said.trim()) ? said.trim() : `${said.trim()}.`);
