// Writes test/runtime/kubernetes/recorded-failures.ndjson: what a real cluster shows of each broken application when it is
// judged. Run by hand against a new version of Kubernetes: bun test/harness/record-verdicts.ts
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Pod, watchWorld } from "../../src/runtime/kubernetes/world.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { brokenApps, filesOf } from "./broken-apps.ts";
import { createKubernetesHarness } from "./kubernetes-runtime.ts";

await using harness = await createKubernetesHarness({ startTimeoutMs: 8_000 });
const { cluster, namespace, runtime, release, store, verdict } = harness;
const log = createLogger({ level: "warn", format: "text", write: (line) => void process.stderr.write(line) });
let current = "";
const seen = new Map<string, { pods: Pod[] }>();
const look = () => {
  const pods = world.pods(current);
  const isGivenUp = world.deployment(current)?.spec?.replicas === 0;
  if (isGivenUp || pods.some(({ metadata }) => metadata?.deletionTimestamp)) return; // the verdict was given
  const view = {
    deployment: world.deployment(current),
    replicaSet: world.replicaSets(current)[0],
    pods,
  };
  if (pods.length > 0) seen.set(current, structuredClone(view));
};
await using world = watchWorld(cluster, { namespace, log, onChange: look, onAgentGone: () => {} });
await world.ready();
const recorded: object[] = [];
for (const broken of brokenApps) {
  if (broken.app === "old-node") continue; // the cluster never hears of it
  current = broken.app;
  const garbage = new TextEncoder().encode(`garbage for ${broken.served}`);
  const digest = createHash("sha256").update(garbage).digest("hex");
  if (broken.served === "no archive") store.put(digest, garbage);
  if (broken.served === "other bytes") store.put(digest, new TextEncoder().encode("something else"));
  if (broken.served === "nothing") store.refusals.set(digest, () => new Response("none", { status: 404 }));
  const wanted = await release(filesOf(broken), { ...broken.release, app: broken.app });
  const served = broken.served ? { digest, downloadUrl: store.downloadUrl(digest) } : {};
  const clock = setInterval(look, 1_000);
  await runtime.apply({ ...wanted, ...served });
  const event = await verdict(wanted.deploymentId);
  clearInterval(clock);
  const failure = event.type === "failed" ? event.failure : undefined;
  const { config, deploymentId } = wanted;
  const { start, health } = config ?? { start: undefined, health: undefined };
  const of = {
    deploymentId,
    digest: served.digest ?? wanted.digest,
    start,
    health,
    image: broken.release?.pins?.image,
  };
  const last = seen.get(broken.app);
  const judged = { reason: failure?.reason, message: failure?.message };
  recorded.push({
    app: broken.app,
    of,
    ...last,
    now: Date.now(),
    warnings: world.warnings(last?.pods ?? []),
    judged,
  });
  process.stderr.write(`${broken.app}: ${failure?.reason}\n`);
}
const path = join(import.meta.dir, "..", "runtime", "kubernetes", "recorded-failures.ndjson");
await writeFile(path, recorded.map((one) => `${JSON.stringify(one, lean)}\n`).join(""));

/** What no verdict reads would only make the file long. */
function lean(this: unknown, key: string, value: unknown): unknown {
  const left = ["managedFields", "ownerReferences", "labels", "podIPs", "hostIPs", "volumeMounts", "resources", "uid"];
  left.push("imageID", "containerID", "podIP", "hostIP", "qosClass", "user", "allocatedResources", "lastProbeTime");
  if (left.includes(key)) return undefined;
  if (key === "spec" && typeof value === "object" && value !== null && "containers" in value) return undefined;
  return value;
}
