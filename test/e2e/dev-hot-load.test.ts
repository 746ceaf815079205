import { expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { runJson } from "../harness/binary.ts";
import { busyApp } from "../harness/busy-app.ts";
import { slowRequests, uploads } from "../harness/busy-clients.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer, serveKubernetes } from "../harness/kubernetes-server.ts";
import { packageJson } from "../harness/project.ts";
import { ask, open, strictLoad } from "../harness/strict-load.ts";
import { waitFor } from "../harness/wait-for.ts";

const reloads = process.env.AETHER_TEST_FULL === "1" ? 100 : 20;
const tenSeconds = { withinMs: 10_000, everyMs: 20 };

/** Two artifacts of one app, the second of which runs in two replicas. */
async function startShop() {
  const platform = await createKubernetesServer();
  const { user, client: env, cluster, namespace } = platform;
  const digests: Record<string, string> = {};
  for (const text of ["one", "two"]) {
    const files = { "package.json": packageJson("shop"), "aether.json": `{"replicas":2}`, ...busyApp(text) };
    const folder = await writeFiles(join(user.path, "shop"), files);
    const { json, stderr } = await runJson(user, ["deploy", folder, "--dev-hot"], { env });
    expect(stderr).not.toContain("[error]");
    digests[text] = json.digest;
  }
  const service = await cluster.get({ kind: "Service", namespace, name: "shop" });
  const nodePort = service?.spec?.ports?.[0]?.nodePort ?? 0;
  const isSaidByAll = async (text: string) => {
    const said = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const socket = await open(nodePort);
        const { body } = await ask(socket, "/", false).finally(() => socket.destroy());
        return body;
      }),
    );
    return said.every((one) => one === text);
  };
  return {
    ...platform,
    nodePort,
    annotate: (text: string) =>
      $`kubectl -n ${namespace} annotate --overwrite deployment shop aether.dev/digest=${digests[text]}`.quiet(),
    says: (text: string) => waitFor(`both replicas to say ${text}`, () => isSaidByAll(text), tenSeconds),
    replicaSets: async () =>
      (await cluster.list({ kind: "ReplicaSet", namespace })).items.map(({ metadata }) => metadata?.name),
    running: async () => (await runJson(user, ["status", "shop"], { env })).json.running,
    digests,
  };
}

test.skipIf(!longKubernetesTier().available)(
  `${reloads} reloads under load drop no request, and leave one ReplicaSet (HOT-2)`,
  async () => {
    await using shop = await startShop();
    await shop.says("two");
    const sets = await shop.replicaSets();
    const { nodePort: port } = shop;
    const loads = [
      strictLoad({ port, connections: 8, everyMs: 20, isKept: true }),
      strictLoad({ port, connections: 4, everyMs: 40, isKept: false }),
      slowRequests(port, 500),
      uploads(port),
    ];
    for (let reload = 0; reload < reloads; reload += 1) {
      const text = reload % 2 === 0 ? "one" : "two";
      await shop.annotate(text);
      await shop.says(text);
    }
    await Promise.all(loads.map((load) => load.stop()));
    expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
    for (const { answers } of loads) expect([...answers.keys()].sort()).toEqual(["one", "two"]);
    expect(await shop.replicaSets()).toEqual(sets);
  },
  600_000,
);

test.skipIf(!longKubernetesTier().available)(
  "what was annotated while the server was away runs when it is back, as a deployment; the pods served all along",
  async () => {
    await using shop = await startShop();
    await shop.says("two");
    const sets = await shop.replicaSets();
    const load = strictLoad({ port: shop.nodePort, connections: 2, everyMs: 20, isKept: true });
    await shop.server.stop();
    await shop.annotate("one");
    await using _again = await serveKubernetes(shop.user, shop);
    await shop.says("one");
    await load.stop();
    expect(load.failures).toEqual([]);
    const adopted = await waitFor("the adopted deployment", async () => {
      const running = await shop.running();
      return running?.version === 3 && running;
    });
    expect(adopted).toMatchObject({ digest: shop.digests.one });
    expect(await shop.replicaSets()).toEqual(sets);
  },
  240_000,
);
