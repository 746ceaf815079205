import type { V1RoleBinding } from "@kubernetes/client-node";
import type { AppRelease } from "./app-release.ts";
import { appLabels } from "./metadata.ts";
import { serviceAccountName } from "./service-account.ts";

/** Gives the pods of a dev-hot release their Role. Undefined for any other release. */
export function roleBinding(release: AppRelease): V1RoleBinding | undefined {
  if (release.devHot === undefined) return undefined;
  const name = serviceAccountName(release);
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: { name, namespace: release.namespace, labels: appLabels(release) },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: release.namespace }],
  };
}
