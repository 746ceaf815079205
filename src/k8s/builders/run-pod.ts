import type { V1Pod } from "@kubernetes/client-node";
import { appContainer } from "./app-container.ts";
import type { AppRelease } from "./app-release.ts";
import { fetchContainer } from "./fetch-container.ts";
import { processLabel, releaseAnnotations, releaseLabels, runProcess } from "./metadata.ts";
import { podSecurity } from "./security.ts";
import { serviceAccountName } from "./service-account.ts";
import { volumes } from "./volumes.ts";

/** When a server last said that it still has somebody at the other end. */
export const heartbeatAnnotation = "aether.dev/alive-at";

/** No command runs for longer, whoever has forgotten it. */
export const longestRunSeconds = 86_400;

export interface RunPodOptions {
  name: string;
  aliveAt: Date;
}

/**
 * A pod for one command: the release as its replicas have it, but nothing listens, nothing is probed, and no selector
 * matches it. Its container waits, and the command is run in it as one is in a replica: so its first line is not lost, and
 * its exit code is told.
 */
export function runPod(release: AppRelease, { name, aliveAt }: RunPodOptions): V1Pod {
  const {
    ports: _,
    startupProbe: __,
    readinessProbe: ___,
    livenessProbe: ____,
    lifecycle: _____,
    ...container
  } = appContainer(release);
  const { nodeSelector, tolerations } = release;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: release.namespace,
      labels: { ...releaseLabels(release), [processLabel]: runProcess },
      annotations: { ...releaseAnnotations(release), [heartbeatAnnotation]: aliveAt.toISOString() },
    },
    spec: {
      serviceAccountName: serviceAccountName(release),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: podSecurity(),
      restartPolicy: "Never",
      activeDeadlineSeconds: longestRunSeconds,
      terminationGracePeriodSeconds: 5,
      initContainers: [fetchContainer(release)],
      containers: [{ ...container, command: waiting }],
      volumes: volumes(release),
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
    },
  };
}

const waiting = ["/bin/sh", "-c", `trap 'exit 0' TERM; sleep ${longestRunSeconds} & wait`];
