import type {
  CoreV1Event,
  V1ClusterRoleBinding,
  V1ConfigMap,
  V1CustomResourceDefinition,
  V1Deployment,
  V1Ingress,
  V1Lease,
  V1Namespace,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1ReplicaSet,
  V1ResourceQuota,
  V1Role,
  V1RoleBinding,
  V1Secret,
  V1SelfSubjectAccessReview,
  V1Service,
  V1ServiceAccount,
  V1SubjectAccessReview,
  V1TokenReview,
  V2HorizontalPodAutoscaler,
} from "@kubernetes/client-node";

/** A type of client-node as it stands in JSON: times are text, because answers are parsed and nothing more. */
export type AsJson<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? AsJson<Item>[]
    : T extends object
      ? { [Key in keyof T]: AsJson<T[Key]> }
      : T;

/** Where objects of a kind are found. */
export interface Kind<T> {
  apiVersion: string;
  /** The last part of the path, and what a role names. */
  plural: string;
  isNamespaced: boolean;
  /** Never set: it carries the type of the objects. */
  object?: T;
}

const namespaced = <T>(apiVersion: string, plural: string): Kind<AsJson<T>> => ({
  apiVersion,
  plural,
  isNamespaced: true,
});
const clusterWide = <T>(apiVersion: string, plural: string): Kind<AsJson<T>> => ({
  apiVersion,
  plural,
  isNamespaced: false,
});

/** The kinds we speak of. Another one is a line here. */
export const kinds = {
  ClusterRoleBinding: clusterWide<V1ClusterRoleBinding>("rbac.authorization.k8s.io/v1", "clusterrolebindings"),
  ConfigMap: namespaced<V1ConfigMap>("v1", "configmaps"),
  CustomResourceDefinition: clusterWide<V1CustomResourceDefinition>(
    "apiextensions.k8s.io/v1",
    "customresourcedefinitions",
  ),
  Deployment: namespaced<V1Deployment>("apps/v1", "deployments"),
  Event: namespaced<CoreV1Event>("v1", "events"),
  HorizontalPodAutoscaler: namespaced<V2HorizontalPodAutoscaler>("autoscaling/v2", "horizontalpodautoscalers"),
  Ingress: namespaced<V1Ingress>("networking.k8s.io/v1", "ingresses"),
  Lease: namespaced<V1Lease>("coordination.k8s.io/v1", "leases"),
  Namespace: clusterWide<V1Namespace>("v1", "namespaces"),
  Node: clusterWide<V1Node>("v1", "nodes"),
  Pod: namespaced<V1Pod>("v1", "pods"),
  PodDisruptionBudget: namespaced<V1PodDisruptionBudget>("policy/v1", "poddisruptionbudgets"),
  ReplicaSet: namespaced<V1ReplicaSet>("apps/v1", "replicasets"),
  ResourceQuota: namespaced<V1ResourceQuota>("v1", "resourcequotas"),
  Role: namespaced<V1Role>("rbac.authorization.k8s.io/v1", "roles"),
  RoleBinding: namespaced<V1RoleBinding>("rbac.authorization.k8s.io/v1", "rolebindings"),
  Secret: namespaced<V1Secret>("v1", "secrets"),
  SelfSubjectAccessReview: clusterWide<V1SelfSubjectAccessReview>(
    "authorization.k8s.io/v1",
    "selfsubjectaccessreviews",
  ),
  Service: namespaced<V1Service>("v1", "services"),
  ServiceAccount: namespaced<V1ServiceAccount>("v1", "serviceaccounts"),
  SubjectAccessReview: clusterWide<V1SubjectAccessReview>("authorization.k8s.io/v1", "subjectaccessreviews"),
  TokenReview: clusterWide<V1TokenReview>("authentication.k8s.io/v1", "tokenreviews"),
};

/** `Pod`, `Deployment` and so on. */
export type KindName = keyof typeof kinds;

/** An object of that kind, as the API server answers it. */
export type ObjectOf<K extends KindName> = NonNullable<(typeof kinds)[K]["object"]>;
