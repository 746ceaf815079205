import { expect, test } from "bun:test";
import { runPod } from "../../../src/k8s/builders/run-pod.ts";
import { serviceAccount } from "../../../src/k8s/builders/service-account.ts";
import { removeDeadRuns } from "../../../src/runtime/kubernetes/run-pods.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { appRelease } from "../../harness/app-release.ts";
import { kubernetesTier } from "../../harness/kubernetes.ts";
import { createNamespace } from "../../harness/namespace.ts";

test.skipIf(!kubernetesTier().available)(
  "the pod of a command whose server is silent goes, and others stay",
  async () => {
    await using space = await createNamespace();
    const { cluster, name: namespace } = space;
    const release = appRelease({ namespace });
    await cluster.apply(serviceAccount(release));
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await cluster.create(runPod(release, { name: "shop-run-dead", aliveAt: minutesAgo(6) }));
    await cluster.create(runPod(release, { name: "shop-run-alive", aliveAt: minutesAgo(3) }));
    const runs = async () => (await cluster.list({ kind: "Pod", namespace })).items;

    const log = createLogger({ level: "error", format: "json", write: () => undefined });
    await removeDeadRuns({ cluster, log, patienceMs: 1_000 }, await runs());
    const left = (await runs()).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    expect(left.map(({ metadata }) => metadata?.name)).toEqual(["shop-run-alive"]);
  },
);
