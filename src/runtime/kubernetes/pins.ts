import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { AppRelease, DevHot } from "../../k8s/builders/app-release.ts";
import { currentBuilder } from "../../k8s/builders/objects.ts";
import type { Release, UnpinnedRelease } from "../runtime.ts";
import { nodeMajor } from "./image.ts";

/** What the server is configured with, of all that an application's objects depend on. */
export interface ClusterSettings {
  namespace: string;
  runtimeImage: string;
  serviceType: AppRelease["serviceType"];
  ingress?: { domain: string; className?: string | undefined } | undefined;
  nodeSelector?: Record<string, string> | undefined;
  tolerations?: AppRelease["tolerations"];
  graceSeconds: number;
  /** Of a dev-hot pod's fetcher: seconds between two looks, and how often a download is tried. */
  fetchIntervalSec?: number;
  fetchMaxRetries?: number;
  /** Where downloads may be redirected to. */
  storageOrigins: string[];
  /** PEM: who else may have issued the certificates of the server and of storage. */
  certificateAuthorities?: string | undefined;
  agent: { hash: string; source: string };
}

const pinsSchema = z.object({
  builder: z.number(),
  agent: z.string(),
  image: z.string(),
  node: z.number(),
  service_type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]),
  ingress: z.object({ host: z.string(), class: z.string().optional() }).optional(),
  node_selector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(z.record(z.string(), z.string())).optional(),
  grace_seconds: z.number(),
  /** Of a dev-hot release: the one that its pods were made with, which is itself or an earlier one. */
  hot: z
    .object({
      base: z.object({ deployment_id: z.string(), version: z.number(), digest: z.string() }),
      fetch_interval_sec: z.number().optional(),
      fetch_max_retries: z.number().optional(),
    })
    .optional(),
  /** Names the Secret of the variables (`k8s/builders/secret.ts`). */
  env_key: z.string(),
});

/** What a release keeps of the server that made it, so that a server with another configuration rolls nothing. */
export type Pins = z.output<typeof pinsSchema>;

/** Of this server, now: a deploy, a restart and a rollback alike take its agent and its settings. */
export function newPins(settings: ClusterSettings, release: Omit<UnpinnedRelease, "replicas">): Pins {
  const reloaded = release.devHot ? parsePins(release.reloads) : undefined;
  if (reloaded?.hot) return reloaded; // the same pods, or there would be others
  const { app, config } = release;
  const { ingress, nodeSelector, tolerations, runtimeImage } = settings;
  return {
    builder: currentBuilder,
    agent: settings.agent.hash,
    image: runtimeImage,
    node: nodeMajor(runtimeImage, config?.node),
    service_type: settings.serviceType,
    ...(ingress && {
      ingress: { host: `${app}.${ingress.domain}`, ...(ingress.className && { class: ingress.className }) },
    }),
    ...(nodeSelector && { node_selector: nodeSelector }),
    ...(tolerations && { tolerations: tolerations.map((one) => ({ ...one }) as Record<string, string>) }),
    grace_seconds: settings.graceSeconds,
    ...(release.devHot && { hot: hotPins(settings, release) }),
    env_key: randomBytes(32).toString("hex"),
  };
}

function hotPins({ fetchIntervalSec, fetchMaxRetries }: ClusterSettings, release: Omit<UnpinnedRelease, "replicas">) {
  return {
    base: { deployment_id: release.deploymentId, version: release.version, digest: release.digest },
    fetch_interval_sec: fetchIntervalSec,
    fetch_max_retries: fetchMaxRetries,
  };
}

/** What was pinned, or undefined: the release was made for another runtime. */
export function parsePins(pins: unknown): Pins | undefined {
  return pinsSchema.safeParse(pins).data;
}

/**
 * All that the builders need. Addresses and authorities are the server's present ones: they have to lead to where the server
 * is. `isKept` tells whether the cluster holds another build's agent still; when it is gone, our own takes its place, and that
 * is a rollout.
 */
export function toAppRelease(
  release: Release,
  { pins, settings, isKept }: { pins: Pins; settings: ClusterSettings; isKept: (agentHash: string) => boolean },
): AppRelease {
  const { config, publicKeys } = release;
  const foreign = pins.agent !== settings.agent.hash && isKept(pins.agent);
  return {
    builder: pins.builder,
    app: release.app,
    namespace: settings.namespace,
    deploymentId: release.deploymentId,
    version: release.version,
    digest: release.digest,
    downloadUrl: release.downloadUrl,
    storageOrigins: settings.storageOrigins,
    publicKeys,
    agent: foreign ? { hash: pins.agent } : settings.agent,
    runtimeImage: pins.image,
    nodeMajor: pins.node,
    start: config?.start,
    port: config?.port,
    health: config?.health,
    resources: config?.resources && {
      requests: config.resources,
      limits: { memory: config.resources.memory },
    },
    env: { values: release.env, nameKey: pins.env_key },
    devHot: release.devHot && pins.hot ? toDevHot(release, pins.hot) : undefined,
    replicas: release.replicas,
    graceSeconds: pins.grace_seconds,
    serviceType: pins.service_type,
    ingress: pins.ingress && { host: pins.ingress.host, className: pins.ingress.class },
    nodeSelector: pins.node_selector,
    tolerations: pins.tolerations,
    certificateAuthorities: settings.certificateAuthorities,
  };
}

function toDevHot({ digest, downloadUrl }: Release, hot: NonNullable<Pins["hot"]>): DevHot {
  const { deployment_id: deploymentId, version, digest: first } = hot.base;
  return {
    base: { deploymentId, version, digest: first, downloadUrl: downloadUrl.replace(digest, first) },
    fetchIntervalSec: hot.fetch_interval_sec,
    fetchMaxRetries: hot.fetch_max_retries,
  };
}
