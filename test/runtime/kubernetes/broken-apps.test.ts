import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Release } from "../../../src/runtime/runtime.ts";
import { type BrokenApp, brokenApps, filesOf } from "../../harness/broken-apps.ts";
import { longKubernetesTier } from "../../harness/kubernetes.ts";
import { createKubernetesHarness, type KubernetesHarness } from "../../harness/kubernetes-runtime.ts";

const kubernetes = longKubernetesTier();

test.skipIf(!kubernetes.available)(
  "each of these applications fails with its own reason, a sentence and its log",
  async () => {
    await using harness = await createKubernetesHarness({ startTimeoutMs: 8_000 });
    const verdicts = await fewAtOnce(brokenApps, (broken) => verdictOn(harness, broken));
    for (const [index, { app, reason, message, log }] of brokenApps.entries()) {
      const verdict = verdicts[index];
      if (verdict?.type !== "failed") throw new Error(`${app}: ${JSON.stringify(verdict)}`);
      const { failure } = verdict;
      expect({ app, reason: failure.reason, message: failure.message }).toEqual({
        app,
        reason: reason as typeof failure.reason,
        message: expect.stringMatching(message),
      });
      if (log) expect({ app, log: failure.log.join("\n") }).toEqual({ app, log: expect.stringMatching(log) });
      expect(failure.log.length).toBeLessThanOrEqual(50);
    }
  },
  180_000,
);

/** The testbed's node has room for a few. */
async function fewAtOnce<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const left = [...items.entries()];
  const lane = async () => {
    for (let next = left.shift(); next; next = left.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return results;
}

async function verdictOn({ runtime, release, store, verdict }: KubernetesHarness, broken: BrokenApp) {
  const wanted = await release(filesOf(broken), { ...broken.release, app: broken.app });
  await runtime.apply({ ...wanted, ...(await served(broken, store)) });
  return verdict(wanted.deploymentId);
}

/** What the store answers for it. */
async function served({ served: kind }: BrokenApp, store: KubernetesHarness["store"]): Promise<Partial<Release>> {
  if (kind === undefined) return {};
  const garbage = new TextEncoder().encode(`garbage for ${kind}`);
  const digest = createHash("sha256").update(garbage).digest("hex");
  if (kind === "no archive") store.put(digest, garbage);
  if (kind === "other bytes") store.put(digest, new TextEncoder().encode("something else"));
  if (kind === "nothing") store.refusals.set(digest, () => new Response("none", { status: 404 }));
  return { digest, downloadUrl: store.downloadUrl(digest) };
}
