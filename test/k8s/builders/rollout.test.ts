import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AppRelease } from "../../../src/k8s/builders/app-release.ts";
import { objects } from "../../../src/k8s/builders/objects.ts";
import type { Cluster } from "../../../src/k8s/cluster.ts";
import { appRelease } from "../../harness/app-release.ts";
import { createArtifactStore, type Files } from "../../harness/artifact-store.ts";
import { longKubernetesTier } from "../../harness/kubernetes.ts";
import { agentPath } from "../../harness/local-runtime.ts";
import { createNamespace } from "../../harness/namespace.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { waitFor } from "../../harness/wait-for.ts";

const kubernetes = longKubernetesTier();

/** How the testbed's pods reach this machine. */
const machine = "10.244.0.1";

test.skipIf(!kubernetes.available)(
  "a release runs from its objects alone, and the next one takes over without a failed request",
  async () => {
    await using namespace = await createNamespace({ labels: { "pod-security.kubernetes.io/enforce": "restricted" } });
    await using store = await createArtifactStore({ host: machine });
    const { cluster, name } = namespace;
    const source = await readFile(await agentPath(), "utf8");
    const release = async (version: number, files: Files): Promise<AppRelease> => ({
      ...appRelease({ namespace: name, version, replicas: 2, serviceType: "NodePort", graceSeconds: 5 }),
      ...(await store.add(files)),
      storageOrigins: [store.storageOrigin],
      agent: { hash: createHash("sha256").update(source).digest("hex"), source },
      runtimeImage: "node:{major}-slim",
    });

    await rollOut(cluster, await release(1, answering("one")));
    const service = await cluster.get({ kind: "Service", namespace: name, name: "shop" });
    await using visitor = visit(`http://127.0.0.1:${service?.spec?.ports?.[0]?.nodePort}/`);
    await waitFor("the first release", () => visitor.answers.has("one"));
    await rollOut(cluster, await release(2, slowToStart("two")));
    await waitFor("the second release alone", () => visitor.last() === "two");

    expect(visitor.failures).toEqual([]);
    expect([...visitor.answers]).toEqual(["one", "two"]);
    // Each pod asks the server with its token, and storage without it.
    const tokens = store.requests.map(({ headers }) => headers.get("authorization")?.slice(0, 9) ?? "none");
    expect(tokens.sort()).toEqual([...Array(4).fill("Bearer ey"), ...Array(4).fill("none")]);
  },
  180_000,
);

/** Slower than the drain of the release before it, which would otherwise hide that it was ended too early. */
const slowToStart = (text: string): Files => ({
  "server.js": `setTimeout(() => {${answering(text)["server.js"]}}, 8_000);`,
});

/** Applies it, and waits until its pods serve and those before it have ended. */
async function rollOut(cluster: Cluster, release: AppRelease): Promise<void> {
  for (const object of objects(release)) await cluster.apply(object);
  const { app, namespace, replicas, digest } = release;
  const isReady = async () => {
    const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: `app=${app}` });
    const ready = items.filter(({ metadata, status }) => {
      const isNew = metadata?.annotations?.["aether.dev/digest"] === digest;
      return isNew && status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
    });
    return items.length === replicas && ready.length === replicas;
  };
  await waitFor(`${replicas} replicas of version ${release.version} and no others`, isReady, {
    withinMs: 80_000,
    everyMs: 250,
  });
}

/** Asks again and again, on a new connection each time, and writes down what was not answered. */
function visit(url: string) {
  const stopping = new AbortController();
  const answers = new Set<string>();
  const failures: string[] = [];
  let last = "";
  const visiting = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const signal = AbortSignal.timeout(5_000); // a pod that is gone does not even refuse
        const response = await fetch(url, { headers: { connection: "close" }, keepalive: false, signal });
        last = await response.text();
        answers.add(last);
        if (!response.ok) failures.push(`${response.status} ${last}`);
      } catch (error) {
        failures.push(String(error));
      }
      await Bun.sleep(2); // a visitor, and no load
    }
  })();
  return {
    answers,
    failures,
    last: () => last,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await visiting;
    },
  };
}
