import { expect, test } from "bun:test";
import type { V1Pod } from "@kubernetes/client-node";
import type { AppRelease } from "../../../src/k8s/builders/app-release.ts";
import { deployment } from "../../../src/k8s/builders/deployment.ts";
import { objects } from "../../../src/k8s/builders/objects.ts";
import { secret } from "../../../src/k8s/builders/secret.ts";
import { serviceAccount } from "../../../src/k8s/builders/service-account.ts";
import { appRelease, fullRelease, hotRelease } from "../../harness/app-release.ts";
import { kubernetesTier } from "../../harness/kubernetes.ts";
import { createNamespace } from "../../harness/namespace.ts";
import { waitFor } from "../../harness/wait-for.ts";

const kubernetes = kubernetesTier();
const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };

const releases: [string, AppRelease][] = [
  ["the smallest release", appRelease()],
  ["a release with all there is", fullRelease()],
  ["a dev-hot release", hotRelease()],
  ["two replicas", appRelease({ replicas: 2, ingress: { host: "shop.example.com", tls: {} } })],
];

test.skipIf(!kubernetes.available).each(releases)(
  "a cluster takes every object of %s, and its pods where only restricted ones may be",
  async (_, release) => {
    await using namespace = await createNamespace({ labels: restricted });
    const { cluster, name } = namespace;
    const here = { ...release, namespace: name };
    for (const object of objects(here)) await cluster.apply(object, { dryRun: true });

    await cluster.apply(serviceAccount(here));
    await cluster.create(podOf(here), { dryRun: true });
  },
);

test.skipIf(!kubernetes.available)("that namespace refuses a pod that is less strict by one field", async () => {
  await using namespace = await createNamespace({ labels: restricted });
  const { cluster, name } = namespace;
  const release = appRelease({ namespace: name });
  await cluster.apply(serviceAccount(release));
  const pod = podOf(release);
  delete pod.spec?.containers[0]?.securityContext?.capabilities;
  await expect(cluster.create(pod, { dryRun: true })).rejects.toMatchObject({ problem: "denied" });
});

test.skipIf(!kubernetes.available)("applying the same release again changes nothing", async () => {
  await using namespace = await createNamespace();
  const { cluster, name } = namespace;
  const applyAll = async () => {
    const made = objects({ ...fullRelease(), namespace: name });
    const answers = await Promise.all(made.map((object) => cluster.apply(object)));
    return answers.map(({ kind, metadata }) => `${kind} ${metadata?.resourceVersion}`);
  };
  await applyAll();
  // Controllers write their first words on a new object; after those it has to stay as it is.
  await waitFor(
    "two applies in a row with the same versions",
    async () => Bun.deepEquals(await applyAll(), await applyAll()),
    {
      withinMs: 30_000,
    },
  );
});

test.skipIf(!kubernetes.available)("a pod finds everything as the builders say", async () => {
  await using namespace = await createNamespace({ labels: restricted });
  const { cluster, name } = namespace;
  const values = { TRICKY: "$(HOME) $$ $(PORT)", LINES: 'a\nb\r\n\t"c" \\ é 🛸\n', EMPTY: "", PORT: "1" };
  const start = "node server.js $$ $(HOME)";
  const release = appRelease({
    namespace: name,
    runtimeImage: "node:{major}-slim",
    start,
    env: { values, nameKey: "k" },
  });
  for (const object of [serviceAccount(release), secret(release), ...objects(release)]) {
    if (object?.kind !== undefined && object.kind !== "Deployment") await cluster.apply(object);
  }
  await cluster.create(probe(release));

  const pod = { namespace: name, name: "probe" };
  await waitFor(
    "the probe's end",
    async () => {
      const { status } = (await cluster.get({ kind: "Pod", ...pod })) ?? {};
      if (status?.phase === "Failed") throw new Error(JSON.stringify(status));
      return status?.phase === "Succeeded";
    },
    { withinMs: 50_000, everyMs: 200 },
  );

  const fetched = await report(namespace, "fetch");
  expect(fetched).toMatchObject({ uid: 1000, cluster: false, agent: "// stands for the agent\n", token: true });
  expect(fetched.env).toMatchObject({ AETHER_START: start, HOME: "/tmp" });
  const app = await report(namespace, "app");
  expect(app).toMatchObject({ uid: 1000, folder: "/workspace/app", cluster: false, agent: null, token: false });
  expect(app.env).toMatchObject({ ...values, PORT: "3000", HOME: "/tmp", NODE_ENV: "production" });
  const ours = Object.keys(app.env).filter((key) => /^AETHER_|^SHOP_/.test(key));
  expect(ours).toEqual([]);
  for (const { writable } of [fetched, app])
    expect(writable).toEqual({ "/var/tmp": false, "/tmp": true, "/workspace": true });
});

/** What a container of the probe saw. */
interface Seen {
  uid: number;
  folder: string;
  env: Record<string, string>;
  agent: string | null;
  token: boolean;
  /** Whether it holds a token for the API server. */
  cluster: boolean;
  writable: Record<string, boolean>;
}

// Runs in the pod.
const look = `
const fs = require("node:fs");
const canWrite = (folder) => { try { fs.writeFileSync(folder + "/probe", ""); return true; } catch { return false; } };
const read = (file) => { try { return fs.readFileSync(file, "utf8"); } catch { return null; } };
fs.mkdirSync("/workspace/app", { recursive: true });
console.log(JSON.stringify({
  uid: process.getuid(), folder: process.cwd(), env: process.env, agent: read("/aether/agent.mjs"),
  token: (read("/var/run/aether/token") ?? "").split(".").length === 3,
  cluster: fs.existsSync("/var/run/secrets/kubernetes.io"),
  writable: Object.fromEntries(["/var/tmp", "/tmp", "/workspace"].map((folder) => [folder, canWrite(folder)])),
}));`;

/** The release's pod, which looks about instead of fetching and serving. */
function probe(release: AppRelease): V1Pod {
  const pod = podOf(release);
  const { initContainers = [], containers = [] } = pod.spec ?? {};
  for (const container of [...initContainers, ...containers]) {
    container.command = ["node", "-e", look.replaceAll("$", "$$$$")];
    delete container.startupProbe;
    delete container.readinessProbe;
  }
  return {
    ...pod,
    metadata: { ...pod.metadata, name: "probe" },
    spec: { ...pod.spec, containers, restartPolicy: "Never" },
  };
}

function podOf(release: AppRelease): V1Pod {
  const { template } = structuredClone(deployment(release)).spec ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...template?.metadata, name: "pod", namespace: release.namespace },
    spec: template?.spec ?? { containers: [] },
  };
}

async function report(
  { cluster, name }: Awaited<ReturnType<typeof createNamespace>>,
  container: string,
): Promise<Seen> {
  const lines: string[] = [];
  const pod = { namespace: name, name: "probe" };
  for await (const line of await cluster.logs(pod, { container }, AbortSignal.timeout(10_000))) lines.push(line);
  return JSON.parse(lines.join("")) as Seen;
}
