import { setTimeout as sleep } from "node:timers/promises";
import { podContainers } from "../../core/pod-agent.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import { heartbeatAnnotation, runPod } from "../../k8s/builders/run-pod.ts";
import type { Cluster, PodRef } from "../../k8s/cluster.ts";
import { AetherError, messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Session } from "../runtime.ts";
import { container, unstartable } from "./cause.ts";
import { fetchFailure } from "./fetch-failure.ts";
import { runInPod } from "./pod-command.ts";
import type { Pod } from "./world.ts";

export interface RunPodsOptions {
  cluster: Cluster;
  log: Logger;
  /** How long a pod may take until its container runs. */
  patienceMs: number;
}

const heartbeatMs = 60_000;
/** A server that has not said so for this time is dead, or its connection to the cluster is. */
const deadAfterMs = 5 * heartbeatMs;
const pollMs = 200;

/** Runs a command in a pod of its own, which is gone when this returns. */
export async function runInOwnPod(options: RunPodsOptions, release: AppRelease, session: Session): Promise<number> {
  const { cluster, log, patienceMs } = options;
  const { namespace } = release;
  const ref = { namespace, name: `${release.app}-run-${session.id}` };
  await cluster.create(runPod(release, { name: ref.name, aliveAt: new Date() }), { signal: session.signal });
  const heartbeat = setInterval(() => void beat(options, ref), heartbeatMs);
  try {
    await waitUntilRunning(cluster, ref, { release, patienceMs, signal: session.signal });
    return await runInPod({ cluster, log }, ref, session);
  } finally {
    clearInterval(heartbeat);
    await cluster.remove({ kind: "Pod", ...ref }).catch((error: unknown) => {
      log.warn("the pod of a command could not be removed, and is later", { pod: ref.name, why: messageOf(error) });
    });
  }
}

/** Removes the pods of commands whose server died. */
export async function removeDeadRuns({ cluster, log }: RunPodsOptions, runs: Pod[]): Promise<void> {
  for (const { metadata } of runs) {
    const { name = "", namespace = "", uid, annotations = {}, deletionTimestamp } = metadata ?? {};
    const at = Date.parse(annotations[heartbeatAnnotation] ?? "");
    if (deletionTimestamp !== undefined || Date.now() - at < deadAfterMs) continue;
    log.info("removing the pod of a command that its server left behind", { pod: name });
    await cluster.remove({ kind: "Pod", namespace, name }, uid ? { uid } : {}).catch((error: unknown) => {
      log.warn("the pod of a command could not be removed", { pod: name, why: messageOf(error) });
    });
  }
}

async function beat({ cluster, log }: RunPodsOptions, ref: PodRef): Promise<void> {
  const metadata = { annotations: { [heartbeatAnnotation]: new Date().toISOString() } };
  await cluster.patch({ kind: "Pod", ...ref }, { metadata }).catch((error: unknown) => {
    log.warn("the pod of a command could not be kept alive", { pod: ref.name, why: messageOf(error) });
  });
}

async function waitUntilRunning(
  cluster: Cluster,
  ref: PodRef,
  { release, patienceMs, signal }: { release: AppRelease; patienceMs: number; signal: AbortSignal },
): Promise<void> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const pod = await cluster.get({ kind: "Pod", ...ref }, signal);
    if (pod === undefined) throw cannot("somebody removed its pod");
    if (container(pod, podContainers.app)?.state?.running) return;
    const cause = fetchFailure(pod, release) ?? unstartable(pod, podContainers.app);
    if (cause) throw cannot(cause.message);
    if (pod.status?.phase === "Failed") throw cannot(pod.status.message ?? "its pod ended");
    if (performance.now() > until) throw cannot(whyNotYet(pod));
    await sleep(pollMs, undefined, { signal });
  }
}

function whyNotYet({ status }: Pod): string {
  const unscheduled = status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  return unscheduled?.message ?? "its pod takes too long to start";
}

const cannot = (why: string): AetherError =>
  new AetherError("service_unavailable", `The command could not be run: ${why.replace(/\.$/, "")}.`, {
    hint: "aether status shows whether the application itself runs.",
  });
