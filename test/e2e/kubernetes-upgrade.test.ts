import { expect, test } from "bun:test";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer, type KubernetesParts } from "../harness/kubernetes-server.ts";
import { otherBuild } from "../harness/other-build.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Of the app's Deployment and ReplicaSets, as they stand. */
async function versionsOf({ cluster, namespace }: KubernetesParts): Promise<string[]> {
  const kinds = ["Deployment", "ReplicaSet"] as const;
  const lists = await Promise.all(kinds.map((kind) => cluster.list({ kind, namespace })));
  return lists.flatMap(({ items }) => items.map(({ metadata }) => `${metadata?.name} ${metadata?.resourceVersion}`));
}

/** Nothing more is written to its status then. */
async function isOver({ cluster, namespace }: KubernetesParts): Promise<boolean | undefined> {
  const { conditions } = (await cluster.get({ kind: "Deployment", namespace, name: "shop" }))?.status ?? {};
  return conditions?.some(({ reason }) => reason === "NewReplicaSetAvailable");
}

async function agentsOf({ cluster, namespace }: KubernetesParts): Promise<number> {
  return (await cluster.list({ kind: "ConfigMap", namespace, labelSelector: "aether.dev/agent" })).items.length;
}

test.skipIf(!longKubernetesTier().available)(
  "a server of another build, with another agent, changes nothing of what runs; a restart takes its agent",
  async () => {
    await using platform = await createKubernetesServer();
    await using build = await otherBuild();
    await using upgraded = await createUser(build.path);
    const { user, client: env, port } = platform;
    const files = { "package.json": packageJson("shop"), "server.js": answering("v1") };
    const { json } = await runJson(user, ["deploy", await writeFiles(join(user.path, "shop"), files)], { env });
    expect(json).toMatchObject({ status: "running" });
    await waitFor("the rollout to be over", () => isOver(platform), { withinMs: 30_000 });
    await platform.server.stop();
    const before = await versionsOf(platform);

    await using server = await startServe(upgraded, {
      env: { ...platform.env, AETHER_LOG_LEVEL: "debug" },
      args: ["--port", String(port)],
      dataFolder: join(user.path, "data"),
    });
    const isApplied = () => server.logSoFar().includes('"message":"applied"');
    await waitFor("the release to be applied again", isApplied, { withinMs: 40_000 });
    expect(await versionsOf(platform)).toEqual(before);
    expect(await agentsOf(platform)).toBe(1);

    expect((await runJson(user, ["restart", "shop"], { env })).json).toMatchObject({ status: "running", version: 2 });
    expect(await versionsOf(platform)).toHaveLength(before.length + 1);
    expect(await agentsOf(platform)).toBe(2);
  },
  150_000,
);
