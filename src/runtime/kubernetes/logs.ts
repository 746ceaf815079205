import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../k8s/cluster.ts";
import { isClusterError } from "../../k8s/cluster-error.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { LogPlace } from "./cause.ts";

const logLines = 50;

/** Reads the last lines that a verdict comes with. One without its log is better than none: what fails is said, and no lines. */
export function logReader(cluster: Cluster, { namespace, log }: { namespace: string; log: Logger }) {
  return async (place: LogPlace): Promise<string[]> => {
    try {
      return await lastLines(cluster, namespace, place);
    } catch (error) {
      log.warn("the log of a pod could not be read", { ...place, why: messageOf(error) });
      return [];
    }
  };
}

/** Of one container, without their times. */
async function lastLines(cluster: Cluster, namespace: string, place: LogPlace): Promise<string[]> {
  const { pod, container } = place;
  // A container that crashes again and again is another one by the time it is asked for: then the other run is tried.
  for (let attempt = 0; ; attempt += 1) {
    const isLast = attempt >= 5;
    const previous = attempt % 2 === 0 ? place.previous : !place.previous;
    const options = { container, tailLines: logLines, ...(previous ? { previous } : {}) };
    try {
      const lines = await cluster.logs({ namespace, name: pod }, options, AbortSignal.timeout(5_000));
      const all = await Array.fromAsync(lines);
      if (!all.some((line) => lost.test(line))) return all;
      if (isLast) return [];
    } catch (error) {
      if (isLast || !isClusterError(error, "invalid")) throw error;
    }
    await sleep(200);
  }
}

/** What the kubelet answers, as if it were the log. */
const lost = /^unable to retrieve container logs for /;
