import type { V1Service } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels, selector } from "./metadata.ts";

/** Port 80 leads to the port named `http`: releases may listen elsewhere while both serve. */
export function service(release: AppRelease): V1Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: release.app, namespace: release.namespace, labels: appLabels(release) },
    spec: {
      type: release.serviceType,
      selector: selector(release),
      ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: "http" }],
    },
  };
}
