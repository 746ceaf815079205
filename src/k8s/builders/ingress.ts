import type { V1Ingress } from "@kubernetes/client-node";
import type { AppRelease, IngressSettings } from "./app-release.ts";
import { appLabels } from "./metadata.ts";

/** The application's own host name, or undefined where the server has no domain for applications. */
export function ingress(release: AppRelease): V1Ingress | undefined {
  const { app, namespace, ingress: settings } = release;
  if (settings === undefined) return undefined;
  const { host, className, annotations } = settings;
  const backend = { service: { name: app, port: { name: "http" } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: app, namespace, labels: appLabels(release), ...(annotations && { annotations }) },
    spec: {
      ...(className && { ingressClassName: className }),
      ...tls(settings),
      rules: [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
    },
  };
}

function tls({ host, tls: settings }: IngressSettings) {
  if (settings === undefined) return {};
  return { tls: [{ hosts: [host], ...(settings.secretName && { secretName: settings.secretName }) }] };
}
