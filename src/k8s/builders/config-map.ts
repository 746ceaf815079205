import { createHash } from "node:crypto";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { agentFileName } from "../../core/pod-agent.ts";
import type { AppRelease } from "./app-release.ts";

/** The key of the authorities' ConfigMap, and the file's name. */
export const authoritiesFileName = "ca.pem";

/** Shared by all releases of one agent. */
export const agentConfigMapName = ({ agent }: AppRelease): string => `aether-agent-${agent.hash.slice(0, 12)}`;

/** The agent, for the init container; undefined when it is another build's, which is in the cluster already. */
export function agentConfigMap(release: AppRelease): V1ConfigMap | undefined {
  const { hash, source } = release.agent;
  if (source === undefined) return undefined;
  if (sha256(source) !== hash) throw new Error("The agent is not the one whose hash the release pins.");
  const labels = { "aether.dev/agent": hash.slice(0, 12) };
  return configMap(release, agentConfigMapName(release), { labels, data: { [agentFileName]: source } });
}

/** `aether-ca-<hash>`, or undefined when the public authorities are enough. */
export function authoritiesConfigMapName({ certificateAuthorities: pem }: AppRelease): string | undefined {
  return pem === undefined ? undefined : `aether-ca-${sha256(pem).slice(0, 12)}`;
}

/** Further certificate authorities, which the agent trusts. */
export function authoritiesConfigMap(release: AppRelease): V1ConfigMap | undefined {
  const name = authoritiesConfigMapName(release);
  const { certificateAuthorities: pem } = release;
  if (name === undefined || pem === undefined) return undefined;
  const labels = { "aether.dev/ca": sha256(pem).slice(0, 12) };
  return configMap(release, name, { labels, data: { [authoritiesFileName]: pem } });
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Immutable, because its name says what it holds; collected when no ReplicaSet or Pod names it. */
function configMap(
  { namespace }: AppRelease,
  name: string,
  { labels, data }: { labels: Record<string, string>; data: Record<string, string> },
): V1ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels }, immutable: true, data };
}
