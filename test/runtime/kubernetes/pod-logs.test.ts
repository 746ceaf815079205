import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import type { LogLine, LogQuery } from "../../../src/core/log-line.ts";
import type { Cluster } from "../../../src/k8s/cluster.ts";
import { countingApp, countRuns } from "../../harness/counting-app.ts";
import { createCuttingProxy } from "../../harness/cutting-proxy.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { longKubernetesTier, openTestClusterBy, testClusterAddress } from "../../harness/kubernetes.ts";
import { createKubernetesHarness, type KubernetesHarness } from "../../harness/kubernetes-runtime.ts";
import { waitFor } from "../../harness/wait-for.ts";

describe.skipIf(!longKubernetesTier().available)("the logs of pods", () => {
  let harness: KubernetesHarness;
  let proxy: Awaited<ReturnType<typeof createCuttingProxy>>;
  const open = { now: 0, most: 0 };

  beforeAll(async () => {
    proxy = await createCuttingProxy(await testClusterAddress());
    const through = await openTestClusterBy({ port: proxy.port });
    harness = await createKubernetesHarness({ reach: () => counted(through.cluster, open) });
    await deploy();
  }, 120_000);
  afterAll(async () => {
    await harness?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  }, 180_000);

  async function deploy(note = "", replicas = 2) {
    const release = await harness.release({ "server.js": `${countingApp}// ${note}` }, { replicas });
    await harness.runtime.apply(release);
    expect((await harness.verdict(release.deploymentId)).type).toBe("running");
  }

  function follow(query: LogQuery = {}) {
    const lines: LogLine[] = [];
    const end = new AbortController();
    const ended = (async () => {
      for await (const line of harness.runtime.logs("shop", { ...query, follow: true }, end.signal)) lines.push(line);
    })();
    return {
      lines,
      runs: (options?: { isWhole: boolean }) => countRuns(lines, options),
      async [Symbol.asyncDispose]() {
        end.abort();
        await ended;
      },
    };
  }

  const read = (query: LogQuery = {}) =>
    Array.fromAsync(harness.runtime.logs("shop", query, new AbortController().signal));
  const pods = async () => {
    const { items } = await harness.cluster.list({
      kind: "Pod",
      namespace: harness.namespace,
      labelSelector: "app=shop",
    });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name ?? "");
  };
  const die = async (pod: string) =>
    harness.cluster.exec(
      { namespace: harness.namespace, name: pod },
      { container: "app", command: ["touch", "/tmp/die"], stdout: new PassThrough().resume() },
    );
  /** Until a pod has so many runs that write. */
  const runsIn = (followed: ReturnType<typeof follow>, pod: string, count: number, options?: { isWhole: boolean }) =>
    waitFor(`run ${count} of ${pod}`, () => followed.runs(options).filter((run) => run.pod === pod).length >= count, {
      withinMs: 60_000,
    });
  const released = () => waitFor("every stream to be let go", () => open.now === 0, { withinMs: 10_000 });

  test("are one log by time, of which the last lines or the newer ones can be read", async () => {
    const all = await read();
    expect(countRuns(all)).toHaveLength(2);
    expect(all).toEqual(all.toSorted((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0)));
    expect(all[0]).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/),
      pod: expect.any(String),
      container: "app",
      line: expect.any(String),
    });
    expect(await read({ tailLines: 7 })).toHaveLength(7);
    expect(await read({ tailLines: 0 })).toEqual([]);
    const since = new Date(all.at(-20)?.time ?? "");
    const newer = await read({ since });
    expect(newer.length).toBeGreaterThanOrEqual(20);
    expect(newer.every(({ time }) => time >= since.toISOString().slice(0, -1))).toBe(true);
    expect(newer.map(({ line }) => line)).toContain(all.at(-1)?.line ?? "");
  });

  test("are of the container asked for, and of no other", async () => {
    const fetched = await read({ container: "fetch" });
    expect(new Set(fetched.map(({ container }) => container))).toEqual(new Set(["fetch"]));
    expect(await failureOf((async () => harness.runtime.checkLogs("shop", { container: "sidecar" }))())).toMatchObject({
      code: "bad_request",
      hint: "There are: fetch, app.",
    });
  });

  test("go on over restarts, more replicas and a rollout, with nothing doubled and nothing lost", async () => {
    await using followed = follow();
    const [first = ""] = await pods();
    await runsIn(followed, first, 1);
    await die(first);
    await runsIn(followed, first, 2);
    await harness.runtime.scale("shop", 3);
    await waitFor("the third replica's lines", () => new Set(followed.lines.map(({ pod }) => pod)).size === 3, {
      withinMs: 60_000,
    });
    const before = await pods();
    await deploy("another release", 2);
    const isOver = (pod: string) => followed.runs().findLast((run) => run.pod === pod)?.isOver;
    await waitFor("the last words of the old pods", () => before.every(isOver), { withinMs: 60_000 });
    for (const pod of await pods()) await runsIn(followed, pod, 1);
    expect(followed.runs().length).toBeGreaterThanOrEqual(6);
  }, 180_000);

  test("of the run before are kept, and are part of what is read since then", async () => {
    const [pod = ""] = await pods();
    await using followed = follow({ tailLines: 0 });
    await runsIn(followed, pod, 1, { isWhole: false });
    const since = new Date();
    await die(pod);
    await runsIn(followed, pod, 2, { isWhole: false });
    const previous = await waitFor("the run before", async () => {
      const lines = await read({ previous: true });
      return lines.length > 0 && lines;
    });
    expect(countRuns(previous)).toEqual([expect.objectContaining({ pod, isOver: true })]);
    const both = countRuns(
      (await read({ since })).filter((line) => line.pod === pod),
      { isWhole: false },
    );
    expect(both.map(({ isOver }) => isOver)).toEqual([true, false]);
  }, 180_000);

  test("come whole although the API server goes away again and again, and a container ends meanwhile", async () => {
    await using followed = follow();
    const [pod = "", other = ""] = await pods();
    const begun = new Date().toISOString();
    // The run before goes when another ends: what of it was not read by then is lost.
    await waitFor("all that was there", () =>
      [pod, other].every((name) => followed.lines.some((line) => line.pod === name && line.time > begun)),
    );
    const known = followed.runs().filter((run) => run.pod === pod).length;
    for (let outage = 0; outage < 3; outage += 1) {
      const before = followed.lines.length;
      proxy.goAway();
      if (outage === 1) await die(pod);
      await waitFor("the outage to be felt", () => proxy.refusals() > outage * 3 + 2);
      proxy.comeBack();
      await waitFor("lines again", () => followed.lines.length > before + 100, { withinMs: 60_000 });
    }
    await runsIn(followed, pod, known + 1);
    const ended = followed.runs().filter((run) => run.pod === pod);
    expect(ended.slice(0, -1).every(({ isOver }) => isOver)).toBe(true);
  }, 120_000);

  test("are read once for each container, however many follow, and no more when nobody does", async () => {
    await released();
    open.most = 0;
    const followers = Array.from({ length: 50 }, (_, index) => follow(index % 2 ? { tailLines: 10 } : {}));
    try {
      await waitFor("lines for all of them", () => followers.every(({ lines }) => lines.length > 200), {
        withinMs: 60_000,
      });
      // A container that ended twice lately is held back for a while.
      await waitFor("a stream for each container", () => open.now === 2, { withinMs: 60_000 });
      expect(open.most).toBe(2);
      for (const [index, { runs }] of followers.entries()) runs({ isWhole: index % 2 === 0 });
    } finally {
      await Promise.all(followers.map((one) => one[Symbol.asyncDispose]()));
    }
    await released();
  }, 120_000);
});

/** Counts the streams that follow. */
function counted(cluster: Cluster, open: { now: number; most: number }): Cluster {
  return {
    ...cluster,
    async logs(pod, options, signal) {
      if (!options.follow) return cluster.logs(pod, options, signal);
      open.now += 1;
      open.most = Math.max(open.most, open.now);
      const lines = await cluster.logs(pod, options, signal).catch((error: unknown) => {
        open.now -= 1;
        throw error;
      });
      return (async function* () {
        try {
          yield* lines;
        } finally {
          open.now -= 1;
        }
      })();
    },
  };
}
