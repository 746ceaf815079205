import type { RbacV1Subject, V1ClusterRoleBinding, V1PolicyRule, V1Role, V1RoleBinding } from "@kubernetes/client-node";

export interface ControlPlaneAccess {
  /** Of `aether serve`, and its ServiceAccount. */
  name: string;
  /** Where the ServiceAccount is. */
  serverNamespace: string;
  /** Where applications run. */
  appNamespace: string;
}

const applied = ["get", "list", "create", "patch", "delete"];

/** All that `aether serve` does where applications run, and nothing else. Server-side apply is `patch`, and `create` for what is new. */
export const controlPlaneRules = (): V1PolicyRule[] => [
  { apiGroups: ["apps"], resources: ["deployments"], verbs: [...applied, "watch"] },
  { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["list", "watch", "delete"] },
  { apiGroups: [""], resources: ["services", "configmaps"], verbs: [...applied, "watch"] },
  { apiGroups: [""], resources: ["secrets", "serviceaccounts"], verbs: [...applied, "watch"] },
  { apiGroups: [""], resources: ["pods"], verbs: [...applied, "watch"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
  { apiGroups: [""], resources: ["pods/exec", "pods/portforward"], verbs: ["get", "create"] },
  { apiGroups: [""], resources: ["events"], verbs: ["list", "watch"] },
  { apiGroups: ["policy"], resources: ["poddisruptionbudgets"], verbs: [...applied, "watch"] },
  { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: [...applied, "watch"] },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: [...applied, "watch"] },
  { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: [...applied, "watch"] },
];

/** In the namespace of the applications. */
export const controlPlaneRole = ({ name, appNamespace }: ControlPlaneAccess): V1Role => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "Role",
  metadata: { name, namespace: appNamespace },
  rules: controlPlaneRules(),
});

/** Gives the server's ServiceAccount that Role. */
export const controlPlaneRoleBinding = (access: ControlPlaneAccess): V1RoleBinding => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: access.name, namespace: access.appNamespace },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: access.name },
  subjects: [serverAccount(access)],
});

/**
 * Whose a pod's token is can only be asked across the cluster: TokenReview is in no namespace. `system:auth-delegator`, which
 * every cluster has, allows that and asking who may do what.
 */
export const controlPlaneTokenReviews = (access: ControlPlaneAccess): V1ClusterRoleBinding => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: `${access.serverNamespace}-${access.name}-token-reviews` },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" },
  subjects: [serverAccount(access)],
});

const serverAccount = ({ name, serverNamespace }: ControlPlaneAccess): RbacV1Subject => ({
  kind: "ServiceAccount",
  name,
  namespace: serverNamespace,
});
