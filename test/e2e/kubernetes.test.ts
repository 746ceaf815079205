import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { askService } from "../harness/ask-service.ts";
import { createUser, runJson, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { kubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer, type KubernetesParts, serveKubernetes } from "../harness/kubernetes-server.ts";
import { objectsIn } from "../harness/objects-in.ts";
import { answering, packageJson } from "../harness/project.ts";
import { steadyLoad } from "../harness/steady-load.ts";
import { waitFor } from "../harness/wait-for.ts";
import { openWebSocket } from "../harness/web-socket.ts";

const kubernetes = kubernetesTier();
const testOnKubernetes = test.skipIf(!kubernetes.available);
const slow = { withinMs: 40_000, everyMs: 100 };

const shop = (user: User, files: Record<string, string> = {}) =>
  writeFiles(join(user.path, "shop"), {
    "package.json": packageJson("shop"),
    "server.js": answering("v1"),
    "aether.json": JSON.stringify({ replicas: 2 }),
    ...files,
  });

testOnKubernetes(
  "from a folder to two replicas that answer, and by another digest to two others without a failed request",
  async () => {
    await using platform = await createKubernetesServer();
    const { user, client: env, cluster, namespace } = platform;
    const folder = await shop(user);
    const first = await runJson(user, ["deploy", folder], { env });
    expect(first.stderr).not.toContain("[error]");
    const { url } = first.json;
    expect(url).toMatch(/^http:.*:3\d{4}$/);
    expect(first.json).toMatchObject({ status: "running", version: 1 });
    expect(await (await askService(url)).text()).toBe("v1");
    const replicas = async () => (await runJson(user, ["status", "shop"], { env })).json.running.replicas;
    expect(await running(replicas)).toBe(2); // the command waited for both
    expect((await user.run(["logs", "shop"], { env })).stdout).toContain("asked /\n");
    const { AETHER_API_BASE: api, AETHER_TOKEN: token } = env;
    await using socket = await openWebSocket(`${api}/apps/shop/logs/ws?follow=1`, [`aether.bearer.${token}`]);
    await fetch(`${url}/by-socket`);
    for (let line = await socket.next(); line !== "asked /by-socket"; line = await socket.next()) {
      expect(line).toBeDefined();
    }

    const load = steadyLoad(url);
    await waitFor("answers of v1", () => (load.answers.get("v1") ?? 0) > 100);
    await writeFile(join(folder, "server.js"), answering("v2"));
    const second = await runJson(user, ["deploy", folder], { env });
    expect(second.json).toMatchObject({ status: "running", version: 2, url });
    await waitFor("only v2", async () => isOnly(await replicas(), 2), slow);
    const seen = load.answers.get("v2") ?? 0;
    await waitFor("answers of v2", () => (load.answers.get("v2") ?? 0) > seen + 100);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.answers.get("v1")).toBeGreaterThan(100);

    const { json: audit } = await runJson(user, ["audit", "--app", "shop"], { env });
    expect(JSON.stringify(audit)).toContain(first.json.digest);
    expect(JSON.stringify(audit)).toContain(second.json.digest);

    const removed = await user.run(["apps", "delete", "shop", "--yes"], { env });
    expect(removed.stderr).not.toContain("[error]");
    expect(await objectsIn(cluster, namespace)).toEqual([]);
  },
  120_000,
);

testOnKubernetes(
  "a release that crashes fails with its log, and the one before serves on",
  async () => {
    await using platform = await createKubernetesServer();
    const { user, client: env, cluster, namespace } = platform;
    const folder = await shop(user, { "aether.json": "{}" });
    const first = await runJson(user, ["deploy", folder], { env });
    await writeFile(join(folder, "server.js"), `console.log("about to throw"); throw new Error("no database");`);
    const broken = await runJson(user, ["deploy", folder], { env });
    expect(broken.code).toBe(20);
    expect(broken.json).toMatchObject({ failure_reason: "crash_loop", status: "failed", version: 2 });
    expect(broken.json.message).toContain("`node server.js` exited with code 1, ");
    expect(broken.stderr).toContain("Error: no database");
    expect(broken.stderr).toContain("about to throw");
    expect(await (await askService(first.json.url)).text()).toBe("v1");
    await waitFor(
      "the pods of the broken release to go",
      async () => {
        const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: "aether.dev/app=shop" });
        return items.every(({ metadata }) => metadata?.annotations?.["aether.dev/version"] === "1");
      },
      slow,
    );
    expect(await (await askService(first.json.url)).text()).toBe("v1");
  },
  120_000,
);

testOnKubernetes(
  "a server that was killed and comes back changes nothing of what runs",
  async () => {
    await using platform = await createKubernetesServer({ AETHER_LOG_LEVEL: "debug" });
    const { user, client: env, cluster, namespace } = platform;
    const { json } = await runJson(user, ["deploy", await shop(user)], { env });
    await waitFor("both replicas", async () => (await deploymentOf(platform))?.status?.availableReplicas === 2, slow);
    await platform.server.kill();
    const versions = async () =>
      Promise.all(
        (["Deployment", "Service", "ServiceAccount"] as const).map(async (kind) => {
          const { items } = await cluster.list({ kind, namespace, labelSelector: "aether.dev/app=shop" });
          return items.map(({ metadata }) => `${kind} ${metadata?.resourceVersion}`);
        }),
      );
    const before = await versions();
    await using again = await serveKubernetes(user, platform);
    await waitFor("the release to be applied again", () => again.logSoFar().includes('"message":"applied"'), slow);
    expect(await versions()).toEqual(before);
    expect((await runJson(user, ["status", "shop"], { env })).json.running.digest).toBe(json.digest);
    expect(await (await askService(json.url)).text()).toBe("v1");
  },
  120_000,
);

test("a server whose pods could not reach it does not start, and says what to set", async () => {
  await using user = await createUser();
  const { code, stderr } = await user.run(["serve", "--port", "0", "--data-dir", join(user.path, "data")], {
    env: { AETHER_RUNTIME: "kubernetes" },
  });
  expect(code).toBe(10);
  expect(stderr).toContain("Pods of the cluster cannot reach this server at http://127.0.0.1:");
  expect(stderr).toContain("AETHER_INTERNAL_URL");
});

async function deploymentOf({ cluster, namespace }: KubernetesParts) {
  return cluster.get({ kind: "Deployment", namespace, name: "shop" });
}

interface Replica {
  version: number;
  state: string;
}

const running = async (replicas: () => Promise<Replica[]>): Promise<number> =>
  (await replicas()).filter(({ state }) => state === "running").length;

const isOnly = (replicas: Replica[], version: number): boolean =>
  replicas.length === 2 && replicas.every((replica) => replica.version === version && replica.state === "running");
