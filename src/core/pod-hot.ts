import { AetherError } from "../lib/errors.ts";
import { agentFileName, type PodFetch, parsePodVariables, podPaths, toPodVariables } from "./pod-agent.ts";

// What the builders write into a dev-hot pod and the agent finds there, beside `pod-agent.ts`. Both sides import this.

/** Names of the volumes that a dev-hot pod has beside the usual ones. */
export const hotVolumes = {
  /** emptyDir: the fetcher writes it, the application's container can only read it. */
  control: "aether-hot",
  /** Projected token for the API server, with its CA; in the fetcher only. */
  api: "aether-api",
} as const;

/** The sidecar; the application's container is `podContainers.app` as ever. */
export const fetcherContainer = "fetcher";

/** Where things are in a dev-hot pod. */
export const hotPaths = {
  control: "/aether-hot",
  api: "/var/run/aether-api",
} as const;

/** Files of the control volume; and `status`, which lies in the workspace: the supervisor's word. */
export const hotNames = {
  wish: "wish.json",
  preload: "preload.cjs",
  run: "run",
  status: ".aether-status",
  /** A link to the slot of the version that serves, for people. */
  current: "current",
} as const;

/** Files below `hotPaths.api`. */
export const apiFiles = { token: "token", ca: "ca.crt" } as const;

/** On the Deployment's own metadata. */
export const hotAnnotations = {
  devHot: "aether.dev/dev-hot",
  digest: "aether.dev/digest",
  fetchInterval: "aether.dev/fetch-interval",
} as const;

/** `command` of the sidecar. */
export const fetchHotCommand = ["node", `${podPaths.agentFolder}/${agentFileName}`, "fetch-hot"];

/** `command` of the application's container: a script of the agent's, which is pinned with it. */
export const hotAppCommand = ["/bin/sh", `${hotPaths.control}/${hotNames.run}`];

/** The start-up probe of the sidecar: code is there for the application's container to run. */
export const hotReadyCommand = ["/bin/sh", "-c", `test -e ${hotPaths.control}/${hotNames.wish}`];

/** What the fetcher is told beside what an init container is; `digest` is the base, of the release's own row. */
export interface HotFetch extends PodFetch {
  namespace: string;
  healthPath?: string | undefined;
  /** Between two looks at the Deployment, beside the watch. */
  fetchIntervalSec: number;
  /** So many failed downloads of a digest are a verdict on it; a server that is away is waited for. */
  fetchMaxRetries: number;
  drainSec: number;
  graceSec: number;
  startTimeoutSec: number;
  control: string;
  /** A folder with `apiFiles`. */
  api: string;
  /** Absent: as the kubelet says, by KUBERNETES_SERVICE_HOST and _PORT. */
  apiUrl?: string | undefined;
}

const names = {
  namespace: "AETHER_NAMESPACE",
  healthPath: "AETHER_HEALTH_PATH",
  fetchIntervalSec: "AETHER_FETCH_INTERVAL_SEC",
  fetchMaxRetries: "AETHER_FETCH_MAX_RETRIES",
  drainSec: "AETHER_DRAIN_SEC",
  graceSec: "AETHER_SUPERVISOR_GRACE_SEC",
  startTimeoutSec: "AETHER_START_TIMEOUT_SEC",
  control: "AETHER_CONTROL_FOLDER",
  api: "AETHER_API_FOLDER",
  apiUrl: "AETHER_API_URL",
} as const;

/** What is left out of a pod's spec. */
export const hotDefaults = {
  fetchIntervalSec: 30,
  fetchMaxRetries: 10,
  drainSec: 30,
  graceSec: 10,
  startTimeoutSec: 60,
  control: hotPaths.control,
  api: hotPaths.api,
} as const;

/** The sidecar's variables, sorted by name: the same release, the same list. What is a default is left out. */
export function toHotVariables(
  fetch: PodFetch & { [Name in keyof HotFetch]?: HotFetch[Name] | undefined },
): { name: string; value: string }[] {
  const own = Object.entries(names).flatMap(([key, name]) => {
    const value = fetch[key as keyof typeof names];
    const usual = hotDefaults[key as keyof typeof hotDefaults];
    return value === undefined || value === usual ? [] : [{ name, value: String(value).replaceAll("$", "$$$$") }];
  });
  return [...toPodVariables(fetch), ...own].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** What `toHotVariables` wrote. */
export function parseHotVariables(env: Record<string, string | undefined>): HotFetch {
  const number = (key: "fetchIntervalSec" | "fetchMaxRetries" | "drainSec" | "graceSec" | "startTimeoutSec") => {
    const value = Number(env[names[key]] ?? hotDefaults[key]);
    if (Number.isFinite(value) && value >= 0) return value;
    throw new AetherError("config_invalid", `${names[key]} is not a number: "${env[names[key]]}".`);
  };
  const namespace = env[names.namespace];
  if (!namespace)
    throw new AetherError("config_invalid", `The variable ${names.namespace} is missing in this container.`);
  return {
    ...parsePodVariables(env),
    namespace,
    healthPath: env[names.healthPath],
    fetchIntervalSec: number("fetchIntervalSec"),
    fetchMaxRetries: number("fetchMaxRetries"),
    drainSec: number("drainSec"),
    graceSec: number("graceSec"),
    startTimeoutSec: number("startTimeoutSec"),
    control: env[names.control] ?? hotDefaults.control,
    api: env[names.api] ?? hotDefaults.api,
    apiUrl: env[names.apiUrl] ?? `https://${hostOf(env.KUBERNETES_SERVICE_HOST)}:${env.KUBERNETES_SERVICE_PORT}`,
  };
}

const hostOf = (host = ""): string => (host.includes(":") ? `[${host}]` : host);
