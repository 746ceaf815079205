import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { $ } from "bun";
import {
  agentFileName,
  appCommand,
  fetchCommand,
  parsePodVerdict,
  podContainers,
  podFetchDefaults,
  podPaths,
  podVolumes,
  tokenAudience,
  toPodVariables,
} from "../../../src/core/pod-agent.ts";
import { createPodIdentity } from "../../../src/runtime/kubernetes/pod-identity.ts";
import { packFiles } from "../../harness/artifact-store.ts";
import { baseImage, baseImageTier } from "../../harness/base-image.ts";
import { agentPath } from "../../harness/local-runtime.ts";
import { createNamespace } from "../../harness/namespace.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { adminToken, bearer, createGuardedHarness } from "../../harness/tokens.ts";
import { waitFor } from "../../harness/wait-for.ts";

/** At which pods of the testbed reach this machine. */
const machine = "10.244.0.1";

/** A control plane that pods reach, and a namespace that enforces Pod Security, with the agent in it. */
async function createPlace() {
  const space = await createNamespace({ labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
  const { cluster, name: namespace } = space;
  const identifyPod = createPodIdentity({ cluster, namespace });
  const aether = await createGuardedHarness({ reachableAt: machine, http: { identifyPod } });
  const data = { [agentFileName]: await readFile(await agentPath(), "utf8") };
  await cluster.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "agent", namespace }, data });
  await cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "aether-app-shop", namespace } });
  const image = await baseImage();

  /** A pod of the app `shop` for a digest, as the builders make it in what matters here. */
  async function startPod(name: string, digest: string, start = "node server.js") {
    const common = {
      image,
      imagePullPolicy: "IfNotPresent",
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
    };
    const volumes = [
      { name: podVolumes.workspace, mountPath: podPaths.workspace },
      { name: podVolumes.tmp, mountPath: podPaths.tmp },
    ];
    const variables = toPodVariables({
      app: "shop",
      digest,
      downloadUrl: `${aether.internalUrl}/artifacts/${digest}/download?app=shop`,
      storageOrigins: [aether.internalUrl],
      start,
      ...podFetchDefaults,
    });
    await cluster.apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace },
      spec: {
        serviceAccountName: "aether-app-shop",
        automountServiceAccountToken: false,
        restartPolicy: "Never",
        terminationGracePeriodSeconds: 20,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          fsGroup: 1000,
          seccompProfile: { type: "RuntimeDefault" },
        },
        initContainers: [
          {
            ...common,
            name: podContainers.fetch,
            command: fetchCommand,
            env: variables,
            volumeMounts: [
              ...volumes,
              { name: podVolumes.agent, mountPath: podPaths.agentFolder, readOnly: true },
              { name: podVolumes.token, mountPath: podPaths.tokenFolder, readOnly: true },
            ],
          },
        ],
        containers: [
          {
            ...common,
            name: podContainers.app,
            command: appCommand,
            env: [
              { name: "PORT", value: "3000" },
              { name: "HOME", value: podPaths.tmp },
            ],
            volumeMounts: volumes,
            readinessProbe: { httpGet: { path: "/", port: 3000 }, periodSeconds: 1 },
          },
        ],
        volumes: [
          { name: podVolumes.workspace, emptyDir: { sizeLimit: "256Mi" } },
          { name: podVolumes.tmp, emptyDir: { sizeLimit: "64Mi" } },
          { name: podVolumes.agent, configMap: { name: "agent" } },
          {
            name: podVolumes.token,
            projected: { sources: [{ serviceAccountToken: { audience: tokenAudience, path: podPaths.tokenFile } }] },
          },
        ],
      },
    });
    const get = () => cluster.get({ kind: "Pod", namespace, name });
    return {
      get,
      ready: () =>
        waitFor(
          "the pod to be ready",
          async () => (await get())?.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
          { withinMs: 45_000 },
        ),
      exec: async (...command: string[]) =>
        (await $`kubectl -n ${namespace} exec ${name} -c app -- ${command}`.text()).trim(),
    };
  }

  return {
    aether,
    namespace,
    startPod,
    store: async (app: string, text: string) =>
      (await aether.store(app, await packFiles(answering(text)), bearer(adminToken))).digest as string,
    async end() {
      await aether[Symbol.asyncDispose]();
      await space[Symbol.asyncDispose]();
    },
  };
}

describe.skipIf(!baseImageTier().available)("a pod of the base image", () => {
  let place: Awaited<ReturnType<typeof createPlace>>;
  beforeAll(async () => {
    place = await createPlace();
  }, 180_000);
  afterAll(() => place?.end());

  test("fetches its release through the gate with its own token, runs it below tini, and drains at its end", async () => {
    const start = 'echo "of $(id -u) $$" && node server.js';
    const pod = await place.startPod("good", await place.store("shop", "hello from a pod"), start);
    await pod.ready();
    const ask = "fetch('http://127.0.0.1:3000/').then((a) => a.text()).then(console.log)";
    expect(await pod.exec("node", "-e", ask)).toBe("hello from a pod");
    expect(await pod.exec("cat", "/proc/1/comm")).toBe("tini");
    expect(await pod.exec("sh", "-c", "ls -A /workspace; ls /var/run/aether /aether 2>&1 | wc -l")).toBe(
      ".aether-run\n.aether-start\napp\n2",
    );
    const fetched = await $`kubectl -n ${place.namespace} logs good -c fetch`.text();
    expect(fetched).toContain("[fetcher] the release is ready");
    const following = $`kubectl -n ${place.namespace} logs good -c app --follow`.text();
    await $`kubectl -n ${place.namespace} delete pod good --wait=false`.quiet();
    expect(await following).toMatch(/^of 1000 \d+\nlistening on 3000\ngot SIGTERM\n$/);
  }, 180_000);

  test("may not have another app's artifact, and the kubelet shows why", async () => {
    const digest = await place.store("other", "secret");
    const pod = await place.startPod("bad", digest);
    const ended = await waitFor(
      "the init container's end",
      async () => (await pod.get())?.status?.initContainerStatuses?.[0]?.state?.terminated,
      { withinMs: 45_000 },
    );
    expect(ended.exitCode).toBe(1);
    expect(parsePodVerdict(ended.message ?? "")).toEqual({
      reason: "artifact_not_found",
      message: expect.stringContaining("the server answered 403 (The app of this pod has no stored artifact"),
      digest,
    });
  }, 180_000);
});
