import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { auditedVerdicts } from "../harness/audited-verdicts.ts";
import { runJson, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer, type KubernetesParts } from "../harness/kubernetes-server.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";
import { type Asked, createWatchedCluster } from "../harness/watched-cluster.ts";

const testOnKubernetes = test.skipIf(!longKubernetesTier().available);
const patient = { withinMs: 60_000, everyMs: 200 };

const project = (user: User, name: string, server: string) =>
  writeFiles(join(user.path, name), { "package.json": packageJson(name), "server.js": server, "aether.json": "{}" });

const slowly = (text: string): string => `setTimeout(() => { ${answering(text)} }, 4_000);`;
const crashing = `setTimeout(() => { console.log("about to throw"); throw new Error("no database"); }, 2_000);`;

testOnKubernetes(
  "an API server that is away in the middle of rollouts delays their verdicts, and loses none (F9, KUBE-8)",
  async () => {
    await using api = await createWatchedCluster();
    await using platform = await createKubernetesServer({ KUBECONFIG: api.kubeconfig });
    const { user, client: env, server } = platform;
    const folder = await project(user, "shop", answering("v1"));
    expect((await runJson(user, ["deploy", folder], { env })).json).toMatchObject({ status: "running" });
    await writeFile(join(folder, "server.js"), slowly("v2"));
    const broken = await project(user, "broken", crashing);
    for (const one of [folder, broken]) await runJson(user, ["deploy", one, "--detach"], { env });
    await waitFor("both to be fetched", async () => (await started(platform)).length === 3, patient);

    const cutAt = performance.now();
    api.goAway();
    const late = await project(user, "late", answering("late"));
    expect((await runJson(user, ["deploy", late, "--detach"], { env })).json).toMatchObject({ status: "pending" });
    await waitFor("the cluster to know of both", () => isDecided(platform), patient);
    const latest = async (app: string) => (await runJson(user, ["status", app], { env })).json.latest;
    for (const app of ["shop", "broken", "late"]) expect((await latest(app)).status).toBe("pending");
    expect(await (await fetch(`${server.api}/readyz`)).json()).toMatchObject({
      degraded: [expect.stringMatching(/^runtime: /)],
    });
    const awayMs = performance.now() - cutAt;
    const whileAway = api.refusals();

    api.comeBack();
    await waitFor("v2", async () => (await latest("shop")).status === "running", patient);
    await waitFor("the failure", async () => (await latest("broken")).status === "failed", patient);
    expect(await latest("broken")).toMatchObject({ failure_reason: "crash_loop" });
    await waitFor("what was deployed meanwhile", async () => (await latest("late")).status === "running", patient);
    expect(await auditedVerdicts(user, env, "shop")).toEqual(["running", "running"]);
    expect(await auditedVerdicts(user, env, "broken")).toEqual(["failed"]);
    expect(await auditedVerdicts(user, env, "late")).toEqual(["running"]);
    expect(quickLists(api.asked)).toEqual([]);
    expect(whileAway / (awayMs / 1_000)).toBeLessThan(10); // tries a second, of seven watches and three rollouts
  },
  180_000,
);

/** The applications' containers that run, or ran. */
async function started({ cluster, namespace }: KubernetesParts) {
  const { items } = await cluster.list({ kind: "Pod", namespace });
  return items.filter(({ status }) => {
    const { state, lastState } = status?.containerStatuses?.[0] ?? {};
    return state?.running ?? state?.terminated ?? lastState?.terminated;
  });
}

async function isDecided({ cluster, namespace }: KubernetesParts): Promise<boolean> {
  const { items } = await cluster.list({ kind: "ReplicaSet", namespace, labelSelector: "aether.dev/app=shop" });
  const v2 = items.find(({ metadata }) => metadata?.annotations?.["aether.dev/version"] === "2");
  const pods = await cluster.list({ kind: "Pod", namespace, labelSelector: "aether.dev/app=broken" });
  const [crashed] = pods.items[0]?.status?.containerStatuses ?? [];
  return (v2?.status?.availableReplicas ?? 0) > 0 && (crashed?.restartCount ?? 0) >= 2;
}

/** Lists of one kind that came within 5 s of the one before; of kinds that nothing but a watch has reason to list. */
function quickLists(asked: Asked[]): string[] {
  const watched = /\/(deployments|services|events)$/;
  const lists = asked.filter(({ method, path, isWatch }) => method === "GET" && !isWatch && watched.test(path));
  expect(lists.length).toBeGreaterThanOrEqual(3);
  return lists
    .filter(({ path, at }) => lists.some((other) => other.path === path && other.at < at && at - other.at < 5_000))
    .map(({ path }) => path);
}
