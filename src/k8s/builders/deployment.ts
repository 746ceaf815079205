import type { V1Deployment, V1PodSpec } from "@kubernetes/client-node";
import { appContainer, drainSeconds, hotAppContainer } from "./app-container.ts";
import type { AppRelease } from "./app-release.ts";
import { fetchContainer } from "./fetch-container.ts";
import { fetcherContainer } from "./fetcher-container.ts";
import { ownAnnotations, releaseLabels, selector, templateAnnotations } from "./metadata.ts";
import { podSecurity } from "./security.ts";
import { serviceAccountName } from "./service-account.ts";
import { volumes } from "./volumes.ts";

/**
 * The application's pods. A release rolls out without a failed request: the new one is ready before an old one ends.
 * `maxSurge` is how many new ones are started at once.
 */
export function deployment(release: AppRelease, maxSurge: number | string = surge(release)): V1Deployment {
  const { app, namespace, replicas } = release;
  const labels = releaseLabels(release);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app, namespace, labels, annotations: ownAnnotations(release) },
    spec: {
      ...(replicas !== undefined && { replicas }),
      selector: { matchLabels: selector(release) },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable: 0 } },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 3, // rolling back is a release of ours; the old ones only keep their Secrets alive
      template: { metadata: { labels, annotations: templateAnnotations(release) }, spec: podSpec(release) },
    },
  };
}

/**
 * All pods of a small application at once: one after the other, two take twice as long. Of a large one a quarter, since its
 * cluster has hardly room for all of them twice; those that find none wait until old ones have gone.
 */
function surge({ replicas, autoscaler }: AppRelease): number {
  const count = replicas ?? autoscaler?.minReplicas ?? 1;
  return Math.max(4, Math.ceil(count / 4));
}

/** It must not depend on `replicas`: scaling an application would roll it. */
function podSpec(release: AppRelease): V1PodSpec {
  const { nodeSelector, tolerations, graceSeconds } = release;
  return {
    serviceAccountName: serviceAccountName(release),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: podSecurity(),
    terminationGracePeriodSeconds: drainSeconds + graceSeconds, // the drain counts, too
    initContainers: [release.devHot ? fetcherContainer(release, release.devHot) : fetchContainer(release)],
    containers: [release.devHot ? hotAppContainer(release) : appContainer(release)],
    volumes: volumes(release),
    topologySpreadConstraints: [spread(release)],
    ...(nodeSelector && { nodeSelector }),
    ...(tolerations && { tolerations }),
  };
}

/** Replicas on different nodes where there are some; those of the release that is leaving do not count. */
const spread = (release: AppRelease) => ({
  maxSkew: 1,
  topologyKey: "kubernetes.io/hostname",
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector: { matchLabels: selector(release) },
  matchLabelKeys: ["pod-template-hash"],
});
