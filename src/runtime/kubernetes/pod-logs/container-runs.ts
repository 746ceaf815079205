import { container } from "../cause.ts";
import type { Pod } from "../world.ts";

/** One container of one pod. */
export interface ContainerName {
  pod: string;
  /** Another pod of the same name is another. */
  uid: string;
  container: string;
}

/** What the kubelet says of a container's runs. Its times have whole seconds. */
export interface ContainerRuns {
  /** How often it was started again. */
  run: number;
  startedAt: string | undefined;
  /** The run before, which the kubelet may still keep. */
  previous: { startedAt: string; finishedAt: string } | undefined;
  /** This run has ended. */
  isOver: boolean;
}

/** The runs of `name` as they are known; undefined when the pod, or its container, is not there. */
export function runsOf(pods: Pod[], { uid, container: name }: ContainerName): ContainerRuns | undefined {
  const pod = pods.find(({ metadata }) => metadata?.uid === uid);
  if (pod === undefined || !containersOf(pod).includes(name)) return undefined;
  const { state, lastState, restartCount = 0 } = container(pod, name) ?? {};
  const { startedAt = "", finishedAt = "" } = lastState?.terminated ?? {};
  return {
    run: restartCount,
    startedAt: state?.running?.startedAt ?? state?.terminated?.startedAt,
    previous: lastState?.terminated ? { startedAt, finishedAt } : undefined,
    isOver: state?.terminated !== undefined || (state?.running === undefined && lastState?.terminated !== undefined),
  };
}

/** Names of a pod's containers, the first to run first. */
export function containersOf({ spec }: Pod): string[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ name }) => name);
}

/** The containers of that name in all pods. */
export function containersNamed(pods: Pod[], name: string): ContainerName[] {
  return pods
    .filter((pod) => containersOf(pod).includes(name))
    .map(({ metadata }) => ({ pod: metadata?.name ?? "", uid: metadata?.uid ?? "", container: name }));
}
