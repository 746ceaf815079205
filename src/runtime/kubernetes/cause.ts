import type { FailureReason } from "../../core/deployment.ts";
import { podContainers } from "../../core/pod-agent.ts";
import { fetcherContainer } from "../../core/pod-hot.ts";
import type { Pod } from "./world.ts";

/** Why a release does not run, and whose log shows it. */
export interface Cause {
  reason: FailureReason;
  /** A sentence a person can act on. */
  message: string;
  log?: LogPlace;
}

export interface LogPlace {
  pod: string;
  container: string;
  /** Of the run before this one, which ended. */
  previous: boolean;
}

/** How long is waited for what may come by itself. */
export interface Patience {
  now: number;
  forMs: number;
}

type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

/** What the kubelet says of a container. */
export function container({ status }: Pod, name: string): ContainerStatus | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.find((one) => one.name === name);
}

/** The init container that brings the release, or in dev-hot the sidecar that brings one after another. */
export const fetchingContainer = ({ spec }: Pod): string =>
  spec?.initContainers?.some(({ name }) => name === fetcherContainer) ? fetcherContainer : podContainers.fetch;

/** How a container's last finished run ended, and where its log is now. */
export function lastEnd(pod: Pod, name: string) {
  const { state, lastState, restartCount = 0 } = container(pod, name) ?? {};
  const ended = state?.terminated ?? lastState?.terminated;
  if (ended === undefined) return undefined;
  const log: LogPlace = { pod: pod.metadata?.name ?? "", container: name, previous: state?.terminated === undefined };
  return { ended, restarts: restartCount, isWaiting: state?.waiting?.reason === "CrashLoopBackOff", log };
}

const imageReasons = ["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"];

/** Why the kubelet cannot even start the container, or undefined. */
export function unstartable(pod: Pod, name: string): Cause | undefined {
  const status = container(pod, name);
  const { reason = "", message = "" } = status?.state?.waiting ?? {};
  const said = message === "" ? reason : message.trim().replace(/\.$/, "");
  if (imageReasons.includes(reason)) {
    return { reason: "image_pull", message: `The image ${status?.image} cannot be pulled: ${said}.` };
  }
  if (reason === "CreateContainerConfigError" || reason === "CreateContainerError") {
    return { reason: "admission_denied", message: `The node cannot make the container "${name}": ${said}.` };
  }
  return undefined;
}
