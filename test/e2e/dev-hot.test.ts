import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { $ } from "bun";
import { askService } from "../harness/ask-service.ts";
import { runJson } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer } from "../harness/kubernetes-server.ts";
import { answering, packageJson } from "../harness/project.ts";
import { steadyLoad } from "../harness/steady-load.ts";
import { waitFor } from "../harness/wait-for.ts";

const tenSeconds = { withinMs: 10_000, everyMs: 50 };

/** An app of two replicas that is deployed dev-hot, with what is asked of it again and again. */
async function startHot() {
  const platform = await createKubernetesServer();
  const { user, client: env, cluster, namespace } = platform;
  const folder = await writeFiles(join(user.path, "shop"), {
    "package.json": packageJson("shop"),
    "server.js": answering("v1"),
    "aether.json": JSON.stringify({ replicas: 2 }),
  });
  const json = (args: string[]) => runJson(user, args, { env });
  const deploy = async (source: string, flags = ["--dev-hot"]) => {
    await writeFile(join(folder, "server.js"), source);
    return json(["deploy", folder, ...flags]);
  };
  const pods = async () => {
    const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: "app=shop" });
    return items.map(({ metadata, status }) => [metadata?.uid, status?.containerStatuses?.[0]?.restartCount]).sort();
  };
  const markers = async () => {
    const { stdout } = await user.run(["logs", "shop", "--container", "fetcher"], { env });
    return stdout.split("\n").filter((line) => line.includes("new digest"));
  };
  return {
    ...platform,
    json,
    deploy,
    pods,
    markers,
    annotate: (digest: string) =>
      $`kubectl -n ${namespace} annotate --overwrite deployment shop aether.dev/digest=${digest}`.quiet(),
    annotated: async () =>
      (await cluster.get({ kind: "Deployment", namespace, name: "shop" }))?.metadata?.annotations?.[
        "aether.dev/digest"
      ],
    /** Until both replicas say so: ten answers in a row. */
    answers: (url: string, text: string) =>
      waitFor(
        `both replicas to answer ${text}`,
        async () => {
          const said = await Promise.all(Array.from({ length: 10 }, async () => (await askService(url)).text()));
          return said.every((one) => one === text);
        },
        tenSeconds,
      ),
  };
}

test.skipIf(!longKubernetesTier().available)(
  "a digest reaches running pods without a failed request, by a deploy and by kubectl (HOT-1, HOT-H1, HOT-H2)",
  async () => {
    await using shop = await startHot();
    const first = await shop.deploy(answering("v1"));
    expect(first.stderr).not.toContain("[error]");
    const { url } = first.json;
    await shop.answers(url, "v1");
    const pods = await shop.pods();

    const load = steadyLoad(url);
    const second = await shop.deploy(answering("v2"));
    expect(second.json).toMatchObject({ status: "running", version: 2 });
    await shop.answers(url, "v2");
    const markers = (await shop.markers()).length;
    expect(markers).toBe(4);

    await shop.annotate(`sha256:${second.json.digest}`);
    await shop.annotate(first.json.digest);
    await shop.answers(url, "v1");
    const adopted = await waitFor("the adopted deployment", async () => {
      const { json } = await shop.json(["status", "shop"]);
      return json.running?.version === 3 && json.running;
    });
    expect(adopted).toMatchObject({ digest: first.json.digest });
    await shop.annotate(first.json.digest);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await shop.pods()).toEqual(pods);
    // Each pod brought each of the two changes once, and what changed nothing not at all.
    expect((await shop.markers()).length).toBe(markers + 2);
    expect(JSON.stringify((await shop.json(["audit", "--app", "shop"])).json)).toContain('"kubectl"');
  },
  180_000,
);

test.skipIf(!longKubernetesTier().available)(
  "code that does not come up changes nothing, and what is no artifact of the app is left alone (HOT-3, HOT-7)",
  async () => {
    await using shop = await startHot();
    const { json } = await shop.deploy(answering("v1"));
    const { url, digest } = json;
    await shop.answers(url, "v1");
    const pods = await shop.pods();

    const broken = await shop.deploy(`console.log("about to throw"); throw new Error("no database");`);
    expect(broken.code).toBe(20);
    expect(broken.json).toMatchObject({ status: "failed", failure_reason: "crash_loop" });
    expect(broken.stderr).toContain("no database");
    await waitFor("the digest before", async () => (await shop.annotated()) === digest);

    const unknown = "a".repeat(64);
    await shop.annotate(unknown);
    await waitFor("the fetcher's verdict", async () => {
      const { stdout } = await shop.user.run(["logs", "shop", "--container", "fetcher"], { env: shop.client });
      return stdout.includes(`REFRESH_FAIL reason=unauthorized digest=${unknown}`);
    });
    expect(await shop.annotated()).toBe(unknown);
    await shop.answers(url, "v1");
    expect(await shop.pods()).toEqual(pods);

    const ordinary = await shop.deploy(answering("v3"), []);
    expect(ordinary.json).toMatchObject({ status: "running" });
    await shop.answers(url, "v3");
    expect(await shop.annotated()).toBe(ordinary.json.digest);
    const removed = await shop.user.run(["apps", "delete", "shop", "--yes"], { env: shop.client });
    expect(removed.stderr).not.toContain("[error]");
  },
  240_000,
);
