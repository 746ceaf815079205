import { expect, test } from "bun:test";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { baseImageTier } from "../harness/base-image.ts";
import { createUser, runJson } from "../harness/binary.ts";
import { adminToken } from "../harness/kubernetes-server.ts";
import { objectsIn } from "../harness/objects-in.ts";
import { createServerInPod } from "../harness/server-in-pod.ts";
import { waitFor } from "../harness/wait-for.ts";

const sample = join(import.meta.dir, "..", "..", "examples", "sample-node");

test.skipIf(!baseImageTier().available)(
  "aether serve in a pod, by its image and with its own rights alone, deploys, tells, runs commands in, repairs and removes an application",
  async () => {
    await using inside = await createServerInPod();
    await using user = await createUser();
    const { cluster, address, appNamespace, serverNamespace } = inside;
    const env = { AETHER_API_BASE: address, AETHER_TOKEN: adminToken };
    const folder = join(user.path, "sample-node");
    await cp(sample, folder, { recursive: true });
    await runJson(user, ["env", "set", "GREETING=hello"], { env, cwd: folder });
    const first = await runJson(user, ["deploy", folder], { env });
    expect(first.code === 0 ? "" : first.stderr).toBe("");
    expect(first.json).toMatchObject({ status: "running", version: 1 });
    const { app } = first.json;
    const service = await cluster.get({ kind: "Service", namespace: appNamespace, name: app });
    const port = service?.spec?.ports?.[0]?.nodePort;
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect((await user.run(["logs", app], { env })).stdout).not.toBe("");

    for (const verb of ["exec", "run"]) {
      const ran = await user.run([verb, app, "--", "node", "-p", "6 * 7"], { env });
      expect([verb, ran.code, ran.stdout.trim()]).toEqual([verb, 0, "42"]);
    }

    const ref = { kind: "Deployment" as const, namespace: appNamespace, name: app };
    await cluster.remove(ref);
    const isBack = async () => ((await cluster.get(ref))?.status?.availableReplicas ?? 0) === 1;
    await waitFor("what somebody deleted", isBack, { withinMs: 60_000, everyMs: 200 });

    const gone = await user.run(["apps", "delete", app, "--yes"], { env });
    expect(gone.code === 0 ? "" : gone.stderr).toBe("");
    const left = () => objectsIn(cluster, appNamespace);
    const own = ["Role aether", "RoleBinding aether"]; // the server's
    await waitFor("nothing else", async () => Bun.deepEquals(await left(), own), { withinMs: 30_000, everyMs: 200 });
    const pods = await cluster.list({ kind: "Pod", namespace: serverNamespace });
    const pod = { namespace: serverNamespace, name: pods.items[0]?.metadata?.name ?? "" };
    const log = await Array.fromAsync(await cluster.logs(pod, {}, AbortSignal.timeout(20_000)));
    const warnings = log.filter((line) => /forbidden|may not|cannot list|RBAC/i.test(line));
    expect(warnings.filter((line) => !line.includes("nodes"))).toEqual([]);
    expect(pods.items[0]?.status?.containerStatuses?.[0]?.restartCount).toBe(0);
  },
  300_000,
);
