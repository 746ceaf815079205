import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { judge, type ReleaseView } from "../../../src/runtime/kubernetes/verdict.ts";
import type { Pod } from "../../../src/runtime/kubernetes/world.ts";
import { appRelease } from "../../harness/app-release.ts";
import { brokenApps } from "../../harness/broken-apps.ts";

// What Kubernetes 1.34 showed of each (test/harness/record-verdicts.ts).
interface Recorded extends Omit<ReleaseView, "release"> {
  app: string;
  now: number;
  of: { deploymentId: string; digest: string; start: string; health?: { path: string }; image?: string };
}

const recorded: Recorded[] = readFileSync(join(import.meta.dir, "recorded-failures.ndjson"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const forMs = 8_000;

const viewOf = ({ of, deployment, replicaSet, pods, warnings }: Recorded): ReleaseView => ({
  release: appRelease({ ...of, runtimeImage: of.image ?? "node:20-slim" }),
  deployment,
  replicaSet,
  pods,
  warnings,
});

function recordOf(app: string): Recorded {
  const found = recorded.find((one) => one.app === app);
  if (found) return structuredClone(found);
  throw new Error(`Nothing was recorded of ${app}.`);
}

test.each(recorded.map((one) => [one.app, one] as const))("what a cluster shows of %s is judged", (app, record) => {
  const expected = brokenApps.find((broken) => broken.app === app);
  const name = record.pods[0]?.metadata?.name ?? "";
  const fetchLogs = new Map([[name, ["[fetcher] fetching", "[fetcher] waiting 0.2 s: connection refused."]]]);
  const judgement = judge({ ...viewOf(record), fetchLogs }, { now: record.now, forMs });
  expect(judgement).toMatchObject({
    is: "failed",
    reason: expected?.reason as string,
    message: expect.stringMatching(expected?.message as RegExp),
    ...(expected?.log ? { log: { pod: name } } : {}),
  });
});

const patient = ["deaf", "elsewhere", "only-loopback", "ill", "no-server", "nowhere"];

test.each(patient)("%s may come by itself for a while", (app) => {
  const record = recordOf(app);
  expect(judge(viewOf(record), { now: record.now, forMs: 600_000 })).toEqual({ is: "unknown" });
});

test("no pod that is going, and none at all, is a reason to fail", () => {
  const record = recordOf("crashes");
  for (const pod of record.pods) if (pod.metadata) pod.metadata.deletionTimestamp = "2026-01-01T00:00:00Z";
  expect(judge(viewOf(record), { now: record.now, forMs })).toEqual({ is: "unknown" });
  expect(judge({ ...viewOf(record), pods: [] }, { now: record.now, forMs })).toEqual({ is: "unknown" });
});

test("a single crash may be chance, two are a loop", () => {
  const record = recordOf("crashes");
  const app = statusOf(record.pods[0], "app");
  app.restartCount = 1;
  app.state = { running: { startedAt: new Date(record.now).toISOString() } };
  expect(judge(viewOf(record), { now: record.now, forMs })).toEqual({ is: "unknown" });
  app.state = { waiting: { reason: "CrashLoopBackOff" } };
  expect(judge(viewOf(record), { now: record.now, forMs })).toMatchObject({
    reason: "crash_loop",
    message: expect.stringContaining("twice"),
    log: { container: "app", previous: true },
  });
});

test("the agent's word on another digest says nothing of this one", () => {
  const record = recordOf("no-artifact");
  const view = viewOf(record);
  const other = { ...view, release: { ...view.release, digest: "ff".repeat(32) } };
  const judgement = judge(other, { now: record.now, forMs });
  expect(judgement).not.toMatchObject({ reason: "artifact_not_found" });
});

test("an agent that runs for long is asked by its log whether it waits for the server", () => {
  const record = recordOf("no-server");
  const pod = record.pods[0]?.metadata?.name ?? "";
  const patience = { now: record.now, forMs };
  expect(judge(viewOf(record), patience)).toEqual({ is: "unknown", readFetchLogOf: pod });
  const busy = new Map([[pod, ["[fetcher] waiting 0.2 s: gone.", "[fetcher] fetched 2 GB in 900000 ms"]]]);
  expect(judge({ ...viewOf(record), fetchLogs: busy }, patience)).toEqual({ is: "unknown" });
});

test("a release runs when the controller has seen it and a replica of its own is available", () => {
  const { deployment, replicaSet, ...record } = recordOf("deaf");
  const running = structuredClone({ ...viewOf({ ...record, deployment, replicaSet }) });
  if (running.replicaSet?.status) running.replicaSet.status.availableReplicas = 1;
  const judged = (view: ReleaseView) => judge(view, { now: record.now, forMs: 600_000 }).is;
  expect(judged(running)).toBe("running");

  const unseen = structuredClone(running);
  if (unseen.deployment?.metadata) unseen.deployment.metadata.generation = 99;
  expect(judged(unseen)).toBe("unknown");
  const anothers = structuredClone(running);
  if (anothers.deployment?.metadata) anothers.deployment.metadata.annotations = { "aether.dev/deployment": "another" };
  expect(judged(anothers)).toBe("unknown");
  expect(judged({ ...running, replicaSet: undefined })).toBe("unknown"); // the old one's replicas do not count

  const none = { ...running, replicaSet: undefined, pods: [] };
  expect(judged({ ...none, release: { ...running.release, replicas: 0 } })).toBe("running");
  const givenUp = structuredClone(none);
  if (givenUp.deployment?.spec) givenUp.deployment.spec.replicas = 0;
  expect(judged(givenUp)).toBe("unknown"); // by another server
});

test("a pod that outgrew its disk says so", () => {
  const record = recordOf("crashes");
  const message = 'Usage of EmptyDir volume "workspace" exceeds the limit "10Gi". ';
  const pods = [
    { metadata: record.pods[0]?.metadata, status: { phase: "Failed", reason: "Evicted", message } },
  ] as Pod[];
  expect(judge({ ...viewOf(record), pods }, { now: record.now, forMs })).toMatchObject({ reason: "disk_full" });
});

test("the deadline counts only for this release's pods", () => {
  const record = recordOf("deaf");
  const name = record.replicaSet?.metadata?.name;
  const overdue = (set: string | undefined) => {
    const view = viewOf(structuredClone(record));
    const message = `ReplicaSet "${set}" has timed out progressing.`;
    const progressing = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message };
    if (view.deployment?.status) view.deployment.status.conditions = [progressing];
    return judge({ ...view, pods: [] }, { now: record.now, forMs: 600_000 });
  };
  expect(overdue(name)).toMatchObject({ is: "failed", reason: "progress_deadline" });
  expect(overdue("deaf-before")).toEqual({ is: "unknown" });
});

function statusOf(pod: Pod | undefined, name: string) {
  const status = pod?.status?.containerStatuses?.find((one) => one.name === name);
  if (status) return status;
  throw new Error(`The pod has no container "${name}".`);
}
