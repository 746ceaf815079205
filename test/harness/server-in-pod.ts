import {
  controlPlaneRole,
  controlPlaneRoleBinding,
  controlPlaneTokenReviews,
} from "../../src/k8s/builders/control-plane-role.ts";
import { containerSecurity, podSecurity } from "../../src/k8s/builders/security.ts";
import type { Cluster } from "../../src/k8s/cluster.ts";
import { serverImage } from "./base-image.ts";
import { adminToken, runtimeImage } from "./kubernetes-server.ts";
import { createNamespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

const labels = { app: "aether" };
const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };

/** `aether serve` in a pod of the cluster, by its image and with no more rights than it is given; apps are in a namespace beside. */
export async function createServerInPod() {
  const image = await serverImage();
  const home = await createNamespace({ labels: restricted });
  const apps = await createNamespace({ cluster: home.cluster, labels: restricted });
  const { cluster } = home;
  const access = { name: "aether", serverNamespace: home.name, appNamespace: apps.name };
  const tokenReviews = controlPlaneTokenReviews(access);
  const metadata = { name: "aether", namespace: home.name };
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata });
  for (const object of [controlPlaneRole(access), controlPlaneRoleBinding(access), tokenReviews]) {
    await cluster.apply(object);
  }
  const service = await cluster.apply({
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { type: "NodePort", selector: labels, ports: [{ name: "http", port: 8080, targetPort: "http" }] },
  });
  const { ports } = (service as { spec?: { ports?: { nodePort?: number }[] } }).spec ?? {};
  const address = `http://127.0.0.1:${ports?.[0]?.nodePort}`;
  await cluster.apply(
    deployment(metadata, image, {
      AETHER_RUNTIME: "kubernetes",
      AETHER_NAMESPACE: apps.name,
      AETHER_RUNTIME_IMAGE: runtimeImage,
      AETHER_SERVICE_TYPE: "NodePort",
      AETHER_PUBLIC_URL: address,
      AETHER_INTERNAL_URL: `http://aether.${home.name}.svc:8080`,
      AETHER_API_TOKENS: `${adminToken}:admin`,
    }),
  );
  await waitFor("the server in its pod", () => isReady(cluster, metadata), { withinMs: 90_000, everyMs: 250 });
  return {
    cluster,
    address,
    serverNamespace: home.name,
    appNamespace: apps.name,
    async [Symbol.asyncDispose]() {
      await cluster.remove({ kind: "ClusterRoleBinding", name: tokenReviews.metadata?.name ?? "" });
      await apps[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** Embedded database and files in a volume that goes with the pod: enough for a test, and for nothing else. */
const deployment = (metadata: { name: string; namespace: string }, image: string, env: Record<string, string>) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata,
  spec: {
    replicas: 1,
    strategy: { type: "Recreate" },
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: metadata.name,
        enableServiceLinks: false,
        securityContext: podSecurity(),
        containers: [
          {
            name: "aether",
            image,
            imagePullPolicy: "Never",
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
            ports: [{ name: "http", containerPort: 8080 }],
            readinessProbe: { httpGet: { path: "/readyz", port: "http" }, periodSeconds: 1 },
            securityContext: containerSecurity(),
            volumeMounts: [
              { name: "data", mountPath: "/data" },
              { name: "tmp", mountPath: "/tmp" },
            ],
          },
        ],
        volumes: [
          { name: "data", emptyDir: {} },
          { name: "tmp", emptyDir: {} },
        ],
      },
    },
  },
});

async function isReady(cluster: Cluster, { name, namespace }: { name: string; namespace: string }): Promise<boolean> {
  return ((await cluster.get({ kind: "Deployment", namespace, name }))?.status?.availableReplicas ?? 0) > 0;
}
