import { type AgentReport, parseReport, reportAnnotation } from "../../core/agent-report.ts";
import type { FailureReason } from "../../core/deployment.ts";
import type { RefreshFailure } from "../../core/hot-markers.ts";
import type { AppRelease } from "../../k8s/builders/app-release.ts";
import type { Patience } from "./cause.ts";
import type { Judgement, ReleaseView } from "./verdict.ts";
import type { Pod } from "./world.ts";

/** Whether its code goes into pods that an earlier release made. */
export const isReload = ({ devHot, deploymentId }: AppRelease): boolean =>
  devHot !== undefined && devHot.base.deploymentId !== deploymentId;

/** The release that the pods were made with, of which their annotations tell. */
export const podsOf = ({ devHot, deploymentId }: Pick<AppRelease, "devHot" | "deploymentId">): string =>
  devHot?.base.deploymentId ?? deploymentId;

/** What the pods of a dev-hot release say of its digest: the first that serves it is enough, as anywhere. */
export function judgeReports(view: ReleaseView, { now, forMs }: Patience): Judgement {
  const { release, deployment, pods, begunAt = now } = view;
  if (deployment?.metadata?.annotations?.["aether.dev/deployment"] !== release.deploymentId) return { is: "unknown" };
  if (isReload(release) && release.replicas === 0) return { is: "running" };
  const live = pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  const said = live.flatMap((pod) => reportOn(pod, release.digest) ?? []);
  if (said.some(({ outcome }) => outcome === "ok")) return { is: "running" };
  const failed = said.find(({ outcome }) => outcome === "fail");
  if (failed) {
    const { reason = "start", message = "The new code did not come up.", log = [] } = failed;
    return { is: "failed", reason: reasons[reason], message, lines: log };
  }
  if (!isReload(release) || now - begunAt < 2 * forMs) return { is: "unknown" };
  const message =
    "No replica has loaded the new code in time; what they run goes on. See the log of the container fetcher.";
  return { is: "failed", reason: "progress_deadline", message };
}

/** What a pod reported last; undefined for one that is not dev-hot, or has nothing to say yet. */
export const lastReport = ({ metadata }: Pod): AgentReport | undefined =>
  parseReport(metadata?.annotations?.[reportAnnotation]);

/** What a pod reported of that digest, if that was its last word. */
export function reportOn(pod: Pod, digest: string): AgentReport | undefined {
  const report = lastReport(pod);
  return report?.digest === digest ? report : undefined;
}

/** The wanted release whose code a pod runs by its own report; undefined: the one it was made with, as far as is known. */
export function loadedBy(pod: Pod, wanted: AppRelease[]): Pick<AppRelease, "digest" | "version"> | undefined {
  const made = pod.metadata?.annotations?.["aether.dev/deployment"];
  const serving = lastReport(pod)?.serving;
  const found = wanted.find((release) => podsOf(release) === made && release.digest === serving);
  return found && { digest: found.digest, version: found.version };
}

const reasons: Record<RefreshFailure, FailureReason> = {
  not_found: "artifact_not_found",
  unauthorized: "artifact_not_found",
  download: "server_unreachable",
  digest_mismatch: "digest_mismatch",
  signature: "signature_invalid",
  unpack: "unpack_failed",
  disk: "disk_full",
  start: "crash_loop",
  health: "probe_failed",
  gone_back: "crash_loop",
};
