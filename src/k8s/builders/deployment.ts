import type { V1Deployment, V1PodSpec } from "@kubernetes/client-node";
import { appContainer, drainSeconds } from "./app-container.ts";
import type { AppRelease } from "./app-release.ts";
import { fetchContainer } from "./fetch-container.ts";
import { releaseAnnotations, releaseLabels, selector } from "./metadata.ts";
import { podSecurity } from "./security.ts";
import { serviceAccountName } from "./service-account.ts";
import { volumes } from "./volumes.ts";

/** The application's pods. A release rolls out without a failed request: the new one is ready before an old one ends. */
export function deployment(release: AppRelease): V1Deployment {
  const { app, namespace, replicas } = release;
  const labels = releaseLabels(release);
  const annotations = releaseAnnotations(release);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: app, namespace, labels, annotations },
    spec: {
      ...(replicas !== undefined && { replicas }),
      selector: { matchLabels: selector(release) },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 0 } },
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 3, // rolling back is a release of ours; the old ones only keep their Secrets alive
      template: { metadata: { labels, annotations }, spec: podSpec(release) },
    },
  };
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
    initContainers: [fetchContainer(release)],
    containers: [appContainer(release)],
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
