import type { V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import { podPaths, podVolumes, tokenAudience } from "../../core/pod-agent.ts";
import { apiFiles, hotPaths, hotVolumes } from "../../core/pod-hot.ts";
import type { AppRelease } from "./app-release.ts";
import { agentConfigMapName, authoritiesConfigMapName } from "./config-map.ts";

const authorities = { volume: "aether-ca", folder: "/var/run/aether-ca" };

/** Where the agent finds `file` of the authorities' ConfigMap. */
export const authoritiesPath = (file: string): string => `${authorities.folder}/${file}`;

/** The pod's volumes. A pod that outgrows a limit is evicted, instead of filling its node's disk. */
export function volumes(release: AppRelease): V1Volume[] {
  const authoritiesName = authoritiesConfigMapName(release);
  return [
    { name: podVolumes.workspace, emptyDir: { sizeLimit: "12Gi" } }, // 8 GiB, the most that unpacks, beside its artifact
    { name: podVolumes.tmp, emptyDir: { sizeLimit: "1Gi" } },
    { name: podVolumes.agent, configMap: { name: agentConfigMapName(release) } },
    { name: podVolumes.token, projected: { sources: [{ serviceAccountToken: token }] } },
    ...(release.devHot ? hotOnly : []),
    ...(authoritiesName ? [{ name: authorities.volume, configMap: { name: authoritiesName } }] : []),
  ];
}

/** The way from fetcher to supervisor, and what the fetcher shows the API server: that token's audience is the API server. */
const hotOnly: V1Volume[] = [
  { name: hotVolumes.control, emptyDir: { sizeLimit: "16Mi" } },
  {
    name: hotVolumes.api,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3600, path: apiFiles.token } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: apiFiles.ca }] } },
      ],
    },
  },
];

/** The kubelet makes a new one in time; the agent reads it anew before each request. */
const token = { audience: tokenAudience, expirationSeconds: 3600, path: podPaths.tokenFile };

/** What both containers may write to. */
export const appMounts = (): V1VolumeMount[] => [
  { name: podVolumes.workspace, mountPath: podPaths.workspace },
  { name: podVolumes.tmp, mountPath: podPaths.tmp },
];

/** The application's in dev-hot: its supervisor is the agent, and reads what the fetcher wishes. */
export const hotAppMounts = (): V1VolumeMount[] => [
  ...appMounts(),
  { name: podVolumes.agent, mountPath: podPaths.agentFolder, readOnly: true },
  { name: hotVolumes.control, mountPath: hotPaths.control, readOnly: true },
];

/** The sidecar's. `tmp` is the application's alone, and both tokens are out of its reach. */
export const fetcherMounts = (release: AppRelease): V1VolumeMount[] => [
  ...fetchMounts(release).filter(({ name }) => name !== podVolumes.tmp),
  { name: hotVolumes.control, mountPath: hotPaths.control },
  { name: hotVolumes.api, mountPath: hotPaths.api, readOnly: true },
];

/** The agent's; its token is out of the application's reach. */
export const fetchMounts = (release: AppRelease): V1VolumeMount[] => [
  ...appMounts(),
  { name: podVolumes.agent, mountPath: podPaths.agentFolder, readOnly: true },
  { name: podVolumes.token, mountPath: podPaths.tokenFolder, readOnly: true },
  ...(release.certificateAuthorities === undefined
    ? []
    : [{ name: authorities.volume, mountPath: authorities.folder, readOnly: true }]),
];
