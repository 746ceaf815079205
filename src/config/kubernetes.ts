import { z } from "zod";
import { clusterLocation } from "./cluster.ts";

/** Where and how applications run on Kubernetes. */
export interface KubernetesConfig {
  location: ReturnType<typeof clusterLocation> & { context?: string };
  /** Of the applications; the server may live elsewhere. */
  namespace: string;
  /** `{major}` stands for the Node version that an application asks for. */
  runtimeImage: string;
  /** Applications answer at `<app>.<domain>` by an Ingress; absent: none is made. */
  ingress: { domain: string; className?: string } | undefined;
  serviceType: "ClusterIP" | "NodePort" | "LoadBalancer";
  nodeSelector: Record<string, string> | undefined;
  tolerations: Toleration[] | undefined;
  /** A file of PEM certificates: who else may have issued those of the server and of storage. */
  authoritiesFile: string | undefined;
  fetchIntervalSec: number;
  fetchMaxRetries: number;
}

/** Of a node's taint, as a pod's spec has it. */
export interface Toleration {
  key: string;
  operator: "Exists" | "Equal";
  value?: string;
  effect?: string;
}

const label = /^[A-Za-z0-9][-A-Za-z0-9_./]*$/;
const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** `pool=apps,disk=ssd`. */
export const nodeSelector = z.string().transform((text, context) => {
  const pairs = items(text).map((item) => item.split("="));
  if (pairs.every(([key = "", value = "", ...rest]) => label.test(key) && label.test(value) && rest.length === 0)) {
    return Object.fromEntries(pairs) as Record<string, string>;
  }
  context.addIssue({ code: "custom", message: "must be labels such as pool=apps,disk=ssd" });
  return z.NEVER;
});

/** `apps=true:NoSchedule,spot:NoExecute`: as a node's taints are written; without a value, any. */
export const tolerations = z.string().transform((text, context) => {
  const found = items(text).map(toToleration);
  if (found.every((one) => one !== undefined)) return found;
  context.addIssue({ code: "custom", message: "must be taints such as pool=apps:NoSchedule,spot:NoExecute" });
  return z.NEVER;
});

function toToleration(item: string): Toleration | undefined {
  const [pair = "", effect, ...more] = item.split(":");
  const [key = "", value, ...rest] = pair.split("=");
  const isGood = label.test(key) && (value === undefined || label.test(value)) && more.length + rest.length === 0;
  if (!isGood || (effect !== undefined && !taintEffects.includes(effect))) return undefined;
  const wanted: Toleration = value === undefined ? { key, operator: "Exists" } : { key, operator: "Equal", value };
  return effect === undefined ? wanted : { ...wanted, effect };
}

const items = (text: string): string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

interface Values {
  AETHER_RUNTIME: "local" | "kubernetes";
  AETHER_NAMESPACE: string;
  AETHER_CA_FILE?: string | undefined;
  AETHER_FETCH_INTERVAL_SEC: number;
  AETHER_FETCH_MAX_RETRIES: number;
  AETHER_KUBE_CONTEXT?: string | undefined;
  AETHER_RUNTIME_IMAGE: string;
  AETHER_APP_DOMAIN?: string | undefined;
  AETHER_INGRESS_CLASS?: string | undefined;
  AETHER_SERVICE_TYPE: KubernetesConfig["serviceType"];
  AETHER_NODE_SELECTOR?: Record<string, string> | undefined;
  AETHER_TOLERATIONS?: Toleration[] | undefined;
}

/** What the variables say of Kubernetes, `undefined` when applications run as local processes. */
export function kubernetesConfig(
  values: Values,
  env: Record<string, string | undefined>,
): KubernetesConfig | undefined {
  if (values.AETHER_RUNTIME !== "kubernetes") return undefined;
  const { AETHER_KUBE_CONTEXT: context, AETHER_APP_DOMAIN: domain, AETHER_INGRESS_CLASS: className } = values;
  return {
    location: { ...clusterLocation(env), ...(context === undefined ? {} : { context }) },
    namespace: values.AETHER_NAMESPACE,
    runtimeImage: values.AETHER_RUNTIME_IMAGE,
    ingress: domain === undefined ? undefined : { domain, ...(className === undefined ? {} : { className }) },
    serviceType: values.AETHER_SERVICE_TYPE,
    nodeSelector: values.AETHER_NODE_SELECTOR,
    tolerations: values.AETHER_TOLERATIONS,
    authoritiesFile: values.AETHER_CA_FILE,
    fetchIntervalSec: values.AETHER_FETCH_INTERVAL_SEC,
    fetchMaxRetries: values.AETHER_FETCH_MAX_RETRIES,
  };
}
