import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { auditedVerdicts } from "../harness/audited-verdicts.ts";
import { createUser, runJson, testBinary, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { adminToken, createKubernetesParts, serveKubernetes } from "../harness/kubernetes-server.ts";
import { objectsIn } from "../harness/objects-in.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

const isFull = process.env.AETHER_TEST_FULL === "1";
const converged = { withinMs: 60_000, everyMs: 200 }; // I5

const rollout = ["deployment-created", "release-applied", ...(isFull ? ["object-applied", "verdict-heard"] : [])];
const removal = ["object-removed", ...(isFull ? ["app-stopped"] : [])];

const shop = (user: User) =>
  writeFiles(join(user.path, "shop"), { "package.json": packageJson("shop"), "server.js": answering("it runs") });

describe.skipIf(!longKubernetesTier().available)("on Kubernetes", () => {
  test.each(rollout)(
    "a server killed at %s, and started again, ends with one release that runs, once (K7, K8)",
    async (point) => {
      await using parts = await createKubernetesParts();
      await using user = await createUser(testBinary);
      const killed = await serveKubernetes(user, parts, { AETHER_CRASH_AT: point });
      const env = { AETHER_API_BASE: killed.api, AETHER_TOKEN: adminToken };
      const client = user.spawn(["deploy", await shop(user), "--detach"], { env });
      expect(await killed.ended).toBe(128 + 9);
      client.kill("SIGKILL");
      await client.exited;

      await using server = await serveKubernetes(user, parts);
      expect(server.api).toBe(killed.api);
      const status = async () => (await runJson(user, ["status", "shop"], { env })).json;
      const { running } = await waitFor(
        "the release to run",
        async () => {
          const now = await status();
          return now.running && now;
        },
        converged,
      );
      expect(running).toMatchObject({ version: 1, replicas: [{ state: "running", version: 1 }] });
      expect(await auditedVerdicts(user, env, "shop")).toEqual(["running"]);
      expect(kindsOf(await objectsIn(parts.cluster, parts.namespace))).toEqual(
        ["ConfigMap", "Deployment", "Pod", "ReplicaSet", "Service", "ServiceAccount"], // one of each
      );
      expect((await parts.cluster.get(deploymentRef(parts.namespace)))?.metadata?.generation).toBe(1);
    },
    150_000,
  );

  test.each(removal)(
    "a server killed at %s while an app is deleted, and started again, leaves nothing of it (K9)",
    async (point) => {
      await using parts = await createKubernetesParts();
      await using user = await createUser(testBinary);
      const killed = await serveKubernetes(user, parts, { AETHER_CRASH_AT: point });
      const env = { AETHER_API_BASE: killed.api, AETHER_TOKEN: adminToken };
      const folder = await shop(user);
      await runJson(user, ["env", "set", "GREETING=hello"], { env, cwd: folder });
      expect((await runJson(user, ["deploy", folder], { env })).json).toMatchObject({ status: "running" });
      const client = user.spawn(["apps", "delete", "shop", "--yes"], { env });
      expect(await killed.ended).toBe(128 + 9);
      client.kill("SIGKILL");
      await client.exited;

      await using _server = await serveKubernetes(user, parts);
      const isGone = async () => (await runJson(user, ["list"], { env })).json.apps.length === 0;
      await waitFor("the app to be gone", isGone, converged);
      const left = () => objectsIn(parts.cluster, parts.namespace);
      await waitFor("nothing to be left", async () => (await left()).length === 0, converged);
    },
    150_000,
  );
});

const deploymentRef = (namespace: string) => ({ kind: "Deployment" as const, namespace, name: "shop" });

const kindsOf = (objects: string[]): string[] => objects.map((name) => name.split(" ")[0] ?? "").sort();
