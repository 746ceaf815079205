import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { auditedVerdicts } from "../harness/audited-verdicts.ts";
import { runJson, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { s3Tier } from "../harness/object-store.ts";
import { objectsIn } from "../harness/objects-in.ts";
import { postgresTier } from "../harness/postgres.ts";
import { answering, packageJson } from "../harness/project.ts";
import { createTwoKubernetesServers } from "../harness/two-kubernetes-servers.ts";
import { waitFor } from "../harness/wait-for.ts";

const tiers = [longKubernetesTier(), postgresTier(), s3Tier()];
const testOnAll = test.skipIf(tiers.some(({ available }) => !available));
const patient = { withinMs: 60_000, everyMs: 200 };

const project = (user: User, name: string, server: string) =>
  writeFiles(join(user.path, name), { "package.json": packageJson(name), "server.js": server, "aether.json": "{}" });

const crashing = `console.log("about to throw"); throw new Error("no database");`;

type Servers = Awaited<ReturnType<typeof createTwoKubernetesServers>>;

const deploymentOf = ({ cluster, namespace }: Servers, name: string) =>
  cluster.get({ kind: "Deployment", namespace, name });

testOnAll(
  "two servers give each release one verdict, and neither undoes what the other did",
  async () => {
    await using servers = await createTwoKubernetesServers();
    const { user, clientOf } = servers;
    await Promise.all([servers.start("one"), servers.start("two")]);
    const [one, two] = [clientOf("one"), clientOf("two")];
    const shop = await project(user, "shop", answering("v1"));
    const other = await project(user, "other", answering("v1"));
    const deploys = await Promise.all([
      runJson(user, ["deploy", shop], { env: one }),
      runJson(user, ["deploy", other], { env: two }),
    ]);
    expect(deploys.map(({ json }) => json.status)).toEqual(["running", "running"]);

    await writeFile(join(shop, "server.js"), answering("v2"));
    await writeFile(join(other, "server.js"), crashing);
    const next = await Promise.all([
      runJson(user, ["deploy", shop], { env: two }),
      runJson(user, ["deploy", other], { env: one }),
    ]);
    expect(next.map(({ json }) => json.status)).toEqual(["running", "failed"]);
    expect(await auditedVerdicts(user, one, "shop")).toEqual(["running", "running"]);
    expect(await auditedVerdicts(user, one, "other")).toEqual(["running", "failed"]);

    const isBack = async () => versionOf(await deploymentOf(servers, "other")) === "1";
    await waitFor("the release before the broken one", isBack, patient);
    const generations = async () =>
      Promise.all(["shop", "other"].map(async (app) => (await deploymentOf(servers, app))?.metadata?.generation));
    expect(await generations()).toEqual([2, 3]); // each release once, and what ran before the broken one again
    await runJson(user, ["scale", "shop", "2"], { env: one });
    const isTwo = async () => (await deploymentOf(servers, "shop"))?.status?.availableReplicas === 2;
    await waitFor("two replicas", isTwo, patient);

    const anew: (string | undefined)[] = [];
    await using deployments = servers.cluster.reflect(
      { kind: "Deployment", namespace: servers.namespace },
      { onChange: ({ type, object }) => type === "added" && anew.push(object.metadata?.name) },
    );
    await deployments.ready;
    anew.length = 0;
    await runJson(user, ["apps", "delete", "shop", "--yes"], { env: one });
    await runJson(user, ["apps", "delete", "other", "--yes"], { env: two });
    const left = () => objectsIn(servers.cluster, servers.namespace);
    await waitFor("nothing to be left", async () => (await left()).length === 0, patient);
    expect(anew).toEqual([]); // neither took the other's removal for somebody's by hand
  },
  240_000,
);

testOnAll(
  "an app that was deleted and made anew while a server was paused is not taken for the old one by it (F13)",
  async () => {
    await using servers = await createTwoKubernetesServers();
    const { user, clientOf } = servers;
    const [, paused] = await Promise.all([servers.start("one"), servers.start("two")]);
    const shop = await project(user, "shop", answering("v1"));
    expect((await runJson(user, ["deploy", shop], { env: clientOf("two") })).json.status).toBe("running");
    process.kill(paused.pid, "SIGSTOP");
    await runJson(user, ["apps", "delete", "shop", "--yes"], { env: clientOf("one") });
    expect((await runJson(user, ["deploy", shop], { env: clientOf("one") })).json.version).toBe(1);
    process.kill(paused.pid, "SIGCONT");
    const uid = (await deploymentOf(servers, "shop"))?.metadata?.uid ?? "";
    await writeFile(join(shop, "server.js"), answering("v2"));
    expect((await runJson(user, ["deploy", shop], { env: clientOf("two") })).json).toMatchObject({ version: 2 });
    expect((await deploymentOf(servers, "shop"))?.metadata).toMatchObject({ uid, generation: 2 });
  },
  240_000,
);

testOnAll(
  "either server may die in the middle of a rollout, and the other ends it",
  async () => {
    await using servers = await createTwoKubernetesServers();
    const { user, clientOf } = servers;
    const names = ["one", "two"] as const;
    const running = { one: await servers.start("one"), two: await servers.start("two") };
    const shop = await project(user, "shop", answering("v1"));
    expect((await runJson(user, ["deploy", shop], { env: clientOf("one") })).json.status).toBe("running");
    for (const [at, dying] of names.entries()) {
      const living = dying === "one" ? "two" : "one";
      servers.leadTo(dying); // its pods are fetching from the one that dies
      const version = at + 2;
      await writeFile(join(shop, "server.js"), `setTimeout(() => { ${answering(`v${version}`)} }, 2_000);`);
      await runJson(user, ["deploy", shop, "--detach"], { env: clientOf(dying) });
      await waitFor("it to be applied", async () => versionOf(await deploymentOf(servers, "shop")) === String(version));
      await running[dying].kill();
      servers.leadTo(living);
      const latest = async () => (await runJson(user, ["status", "shop"], { env: clientOf(living) })).json.latest;
      await waitFor("its verdict", async () => (await latest()).status === "running", patient);
      expect(await latest()).toMatchObject({ version });
      running[dying] = await servers.start(dying);
    }
    expect(await auditedVerdicts(user, clientOf("one"), "shop")).toEqual(["running", "running", "running"]);
    const url: string = (await runJson(user, ["status", "shop"], { env: clientOf("two") })).json.url;
    await waitFor("v3 alone", async () => (await (await fetch(url)).text()) === "v3", patient);
    expect((await deploymentOf(servers, "shop"))?.metadata?.generation).toBe(3);
  },
  240_000,
);

const versionOf = (object: Awaited<ReturnType<typeof deploymentOf>>): string | undefined =>
  object?.metadata?.annotations?.["aether.dev/version"];
