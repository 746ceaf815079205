import type { AppRelease } from "../../k8s/builders/app-release.ts";
import type { Nodes } from "./nodes.ts";
import type { ClusterSettings } from "./pins.ts";
import type { World } from "./world.ts";

export interface AppUrlOptions {
  app: string;
  world: World;
  settings: ClusterSettings;
  /** Absent: nothing of it was released here. */
  wanted: AppRelease | undefined;
  nodes: Nodes | undefined;
}

/** Where people reach an application: its Ingress, else its Service where that is open to them. */
export function appUrl({ app, world, settings, wanted, nodes }: AppUrlOptions): string | undefined {
  const host = wanted ? wanted.ingress?.host : settings.ingress && `${app}.${settings.ingress.domain}`;
  if (host !== undefined) return `${wanted?.ingress?.tls ? "https" : "http"}://${host}`;
  const service = world.service(app);
  const [port] = service?.spec?.ports ?? [];
  if (service?.spec?.type === "LoadBalancer") {
    const [balancer] = service.status?.loadBalancer?.ingress ?? [];
    const address = balancer?.hostname ?? balancer?.ip;
    if (address !== undefined) return `http://${inUrl(address)}`;
  }
  if (service?.spec?.type !== "NodePort" || port?.nodePort === undefined || nodes?.address === undefined)
    return undefined;
  return `http://${inUrl(nodes.address)}:${port.nodePort}`;
}

const inUrl = (address: string): string => (address.includes(":") ? `[${address}]` : address);
