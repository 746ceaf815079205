import { createHash } from "node:crypto";
import type { AppRelease } from "../../src/k8s/builders/app-release.ts";

const agentSource = "// stands for the agent\n";
const digest = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/** A release that leaves out whatever may be left out, apart from `changes`. */
export function appRelease(changes: Partial<AppRelease> = {}): AppRelease {
  const { app = "shop" } = changes;
  return {
    builder: 1,
    app,
    namespace: "aether-apps",
    deploymentId: "6f0e3a52-7c0b-4b7e-9a2e-3d1c8f5b7a10",
    version: 12,
    digest,
    downloadUrl: `http://aether.aether-system.svc/artifacts/${digest}/download?app=${app}`,
    storageOrigins: [],
    agent: { hash: createHash("sha256").update(agentSource).digest("hex"), source: agentSource },
    runtimeImage: "aether-nodejs:{major}-slim",
    nodeMajor: 20,
    env: { values: {} },
    replicas: 1,
    graceSeconds: 10,
    serviceType: "ClusterIP",
    ...changes,
  };
}

/** A dev-hot release whose pods were made with an earlier one, and have been given other code since. */
export const hotRelease = (changes: Partial<AppRelease> = {}): AppRelease => {
  const { digest, downloadUrl, deploymentId, version } = appRelease(changes);
  const now = "ab".repeat(32);
  return appRelease({
    devHot: { base: { digest, downloadUrl, deploymentId, version } },
    digest: now,
    downloadUrl: downloadUrl.replace(digest, now),
    deploymentId: "7f0e3a52-7c0b-4b7e-9a2e-3d1c8f5b7a10",
    version: version + 3,
    ...changes,
  });
};

/** The longest name that an application may have. */
export const longestAppName = "a-fifty-characters-long-name-of-an-application-xyz";

/** A release with all there is. */
export const fullRelease = (): AppRelease =>
  appRelease({
    app: longestAppName,
    storageOrigins: ["https://s3.example.com", "https://s3.example.com:9000"],
    publicKeys: ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"],
    runtimeImage: "registry.example.com/node:{major}-{major}",
    nodeMajor: 22,
    start: "node server.js --pid $$ --home $(HOME)",
    port: 8080,
    health: { path: "/healthz" },
    env: { values: { GREETING: "hello\nworld", COST: "$(HOME) costs $$5", NODE_ENV: "staging" }, nameKey: "c0ffee" },
    replicas: undefined,
    autoscaler: { minReplicas: 2, maxReplicas: 10 },
    resources: { requests: { cpu: "250m", memory: "256Mi" }, limits: { cpu: "1", memory: "1Gi" } },
    graceSeconds: 25,
    serviceType: "NodePort",
    ingress: {
      host: `${longestAppName}.apps.example.com`,
      className: "nginx",
      tls: { secretName: "apps-tls" },
      annotations: { "cert-manager.io/cluster-issuer": "letsencrypt" },
    },
    nodeSelector: { pool: "apps" },
    tolerations: [{ key: "apps", operator: "Exists", effect: "NoSchedule" }],
    certificateAuthorities: "-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n",
  });
