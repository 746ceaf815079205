import type { V1Role } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels } from "./metadata.ts";
import { serviceAccountName } from "./service-account.ts";

/** What the fetcher of a dev-hot release may do in the cluster: look at its own Deployment. Undefined for any other release. */
export function role(release: AppRelease): V1Role | undefined {
  if (release.devHot === undefined) return undefined;
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: serviceAccountName(release), namespace: release.namespace, labels: appLabels(release) },
    rules: [{ apiGroups: ["apps"], resources: ["deployments"], resourceNames: [release.app], verbs: ["get", "watch"] }],
  };
}
