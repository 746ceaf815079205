import type { V1Container, V1Probe } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";

type Probes = Pick<V1Container, "startupProbe" | "readinessProbe" | "livenessProbe">;

/**
 * When the application takes requests, and when it is started anew. Without a health path only its port is asked, and
 * nothing restarts it once it has started: the kernel accepts connections for a process that hangs, so that probe would
 * find none of the ill and kill some of the healthy.
 */
export function probes(release: AppRelease): Probes {
  const ask = question(release);
  return {
    // A minute, as on the local runtime. Asked each second, so that a release is ready as soon as it answers.
    startupProbe: { ...ask, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 60 },
    readinessProbe: { ...ask, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    // A minute of silence: a slow database behind the health path must not end all replicas at once.
    ...(release.health && { livenessProbe: { ...ask, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 } }),
  };
}

function question({ health }: AppRelease): V1Probe {
  if (health === undefined) return { tcpSocket: { port: "http" } };
  return { httpGet: { path: health.path, port: "http" } };
}
