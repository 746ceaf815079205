import type { V1Container } from "@kubernetes/client-node";
import { podFetchDefaults, podPaths } from "../../core/pod-agent.ts";
import { fetchHotCommand, hotReadyCommand, fetcherContainer as name, toHotVariables } from "../../core/pod-hot.ts";
import type { AppRelease, DevHot } from "./app-release.ts";
import { authoritiesFileName } from "./config-map.ts";
import { runtimeImage } from "./image.ts";
import { fetcherResources } from "./resources.ts";
import { containerSecurity } from "./security.ts";
import { authoritiesPath, fetcherMounts } from "./volumes.ts";

/** A day: a pod whose code is not there is not ready, and killing its fetcher brings no code. */
const patienceSeconds = 86_400;

/** The native sidecar of a dev-hot release: the application starts when it has brought the first code, and it goes on. */
export function fetcherContainer(release: AppRelease, devHot: DevHot): V1Container {
  return {
    name,
    image: runtimeImage(release),
    imagePullPolicy: "IfNotPresent",
    restartPolicy: "Always",
    command: fetchHotCommand,
    env: [...variables(release, devHot), { name: "HOME", value: podPaths.tmp }],
    resources: fetcherResources(release),
    startupProbe: { exec: { command: hotReadyCommand }, periodSeconds: 1, failureThreshold: patienceSeconds },
    securityContext: containerSecurity(),
    terminationMessagePath: podPaths.terminationMessage,
    terminationMessagePolicy: "File", // the agent's verdict, and never a line of log in its place
    volumeMounts: fetcherMounts(release),
  };
}

/** Of the base: what changes with a reload is told by an annotation, and is never in the template. */
function variables(release: AppRelease, { base, ...settings }: DevHot) {
  const { app, namespace, storageOrigins, publicKeys, start, health, graceSeconds } = release;
  return toHotVariables({
    ...podFetchDefaults,
    ...{ app, namespace, storageOrigins, publicKeys, start },
    digest: base.digest,
    downloadUrl: base.downloadUrl,
    healthPath: health?.path,
    graceSec: graceSeconds,
    ...settings,
    caFile: release.certificateAuthorities === undefined ? undefined : authoritiesPath(authoritiesFileName),
  });
}
