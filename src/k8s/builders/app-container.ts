import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import { appCommand, podContainers, podPaths } from "../../core/pod-agent.ts";
import { hotAppCommand } from "../../core/pod-hot.ts";
import type { AppRelease } from "./app-release.ts";
import { runtimeImage } from "./image.ts";
import { probes } from "./probes.ts";
import { appResources } from "./resources.ts";
import { secretName } from "./secret.ts";
import { containerSecurity } from "./security.ts";
import { appMounts, hotAppMounts } from "./volumes.ts";

/** So long a pod that ends still serves, until every proxy and ingress has heard that it does. */
export const drainSeconds = 5;

/** The application. */
export function appContainer(release: AppRelease): V1Container {
  const secret = secretName(release);
  return {
    name: podContainers.app,
    image: runtimeImage(release),
    imagePullPolicy: "IfNotPresent",
    command: appCommand,
    workingDir: podPaths.app,
    ports: [{ name: "http", containerPort: appPort(release), protocol: "TCP" }],
    env: variables(release),
    ...(secret && { envFrom: [{ secretRef: { name: secret } }] }), // verbatim: in `env`, $(NAME) would be replaced
    resources: appResources(release),
    ...probes(release),
    // The kubelet's own sleep (Kubernetes 1.30): needs no program in the image, and no memory of a container that has none left.
    lifecycle: { preStop: { sleep: { seconds: drainSeconds } } },
    securityContext: containerSecurity(),
    terminationMessagePolicy: "FallbackToLogsOnError",
    volumeMounts: appMounts(),
  };
}

/**
 * The same in dev-hot, where the supervisor runs one version of it after another. It ends and starts those itself; it closes
 * the port while none answers, so that readiness follows the code; and it is never killed for a version that does not come up.
 */
export function hotAppContainer(release: AppRelease): V1Container {
  const { startupProbe: _, livenessProbe: __, readinessProbe, ...container } = appContainer(release);
  return {
    ...container,
    command: hotAppCommand,
    workingDir: podPaths.workspace,
    ...(readinessProbe && { readinessProbe: { ...readinessProbe, periodSeconds: 1 } }),
    volumeMounts: hotAppMounts(),
  };
}

const appPort = ({ port = 3000 }: AppRelease): number => port;

/** Variables in `env` win over the Secret's: only PORT is ours to decide, the others give way to the application's own. */
function variables(release: AppRelease): V1EnvVar[] {
  const given = [
    { name: "HOME", value: podPaths.tmp },
    { name: "NODE_ENV", value: "production" },
  ].filter(({ name }) => !Object.hasOwn(release.env.values, name));
  return [...given, { name: "PORT", value: String(appPort(release)) }];
}
