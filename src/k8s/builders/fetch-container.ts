import type { V1Container } from "@kubernetes/client-node";
import { fetchCommand, podContainers, podFetchDefaults, podPaths, toPodVariables } from "../../core/pod-agent.ts";
import type { AppRelease } from "./app-release.ts";
import { authoritiesFileName } from "./config-map.ts";
import { runtimeImage } from "./image.ts";
import { fetchResources } from "./resources.ts";
import { containerSecurity } from "./security.ts";
import { authoritiesPath, fetchMounts } from "./volumes.ts";

/** The init container: the agent, in the application's own image, fetches the release and ends. */
export function fetchContainer(release: AppRelease): V1Container {
  return {
    name: podContainers.fetch,
    image: runtimeImage(release),
    imagePullPolicy: "IfNotPresent",
    command: fetchCommand,
    env: [...variables(release), { name: "HOME", value: podPaths.tmp }],
    resources: fetchResources(release),
    securityContext: containerSecurity(),
    terminationMessagePath: podPaths.terminationMessage,
    terminationMessagePolicy: "File", // the agent's verdict, and never a line of log in its place
    volumeMounts: fetchMounts(release),
  };
}

function variables({ app, digest, downloadUrl, storageOrigins, publicKeys, start, ...release }: AppRelease) {
  return toPodVariables({
    ...podFetchDefaults,
    ...{ app, digest, downloadUrl, storageOrigins, publicKeys, start },
    caFile: release.certificateAuthorities === undefined ? undefined : authoritiesPath(authoritiesFileName),
  });
}
