import { expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReplicaRecord } from "../../../src/core/agent-protocol.ts";
import { longestPauseMs } from "../../../src/runtime/local/back-off.ts";
import { createLocalHarness } from "../../harness/local-runtime.ts";
import { createSigner } from "../../harness/signing.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { waitFor } from "../../harness/wait-for.ts";

test("changed keys restart nothing, and count at the next start of an agent", async () => {
  await using local = await createLocalHarness();
  const [first, second] = [createSigner(), createSigner()];
  const release = await local.release(answering("signed"), { publicKeys: [first.publicKey] });
  local.store.signatures.set(release.digest, first.sign(release.digest));
  await local.runtime.apply(release);
  expect(await local.verdict(release.deploymentId)).toMatchObject({ type: "running" });
  const [before] = await recordsIn(local.folder.path);

  local.store.signatures.set(release.digest, second.sign(release.digest));
  await local.runtime.apply({ ...release, publicKeys: [second.publicKey] });
  expect(await recordsIn(local.folder.path)).toMatchObject([{ agent: { pid: before?.agent?.pid } }]);
  process.kill(before?.agent?.pid ?? 0, "SIGKILL");
  await waitFor("another agent to run it", async () => {
    const [now] = await recordsIn(local.folder.path);
    const [replica] = await local.runtime.replicas("shop");
    return now?.agent?.pid !== before?.agent?.pid && replica?.state === "running";
  });
  expect(await (await local.get("/")).text()).toBe("signed");
});

test("a release that no key of the app has signed fails with signature_invalid", async () => {
  await using local = await createLocalHarness();
  const release = await local.release(answering("unsigned"), { publicKeys: [createSigner().publicKey] });
  await local.runtime.apply(release);
  expect(await local.verdict(release.deploymentId)).toMatchObject({
    type: "failed",
    failure: { reason: "signature_invalid" },
  });
});

test("what a revoked key signed is tried again after a start, ever more rarely, and its replica says why", async () => {
  await using local = await createLocalHarness();
  const release = await local.release(answering("unsigned"), { publicKeys: [], established: true });
  await local.runtime.apply(release);
  const tries = () => local.logged.filter((line) => line.includes("it is tried again")).map((line) => JSON.parse(line));
  await waitFor("two tries", () => tries().length >= 2);
  const [replica] = await local.runtime.replicas("shop");
  expect(replica).toMatchObject({ version: 1, failure: { reason: "signature_invalid" } });
  expect(replica?.failure?.message).toContain("signature");
  expect(tries()[1].retryMs).toBeGreaterThan(tries()[0].retryMs);
  expect(longestPauseMs(replica?.failure, 60_000)).toBeGreaterThan(60_000);
  expect(longestPauseMs({ reason: "crash_loop", message: "", log: [] }, 60_000)).toBe(60_000);
});

test("a release that this machine cannot run says so after a start as well", async () => {
  await using local = await createLocalHarness();
  const config = { start: "node server.js", node: ">=99" };
  await local.runtime.apply(await local.release(answering("x"), { config, established: true }));
  await waitFor("the verdict", () => local.logged.some((line) => line.includes("it is tried again")));
  expect(await local.runtime.replicas("shop")).toMatchObject([
    { name: "shop-v1-0", state: "failed", failure: { reason: "unschedulable" } },
  ]);
});

async function recordsIn(folder: string): Promise<ReplicaRecord[]> {
  const names = (await readdir(join(folder, "processes"))).filter((name) => name.endsWith(".json"));
  const texts = await Promise.all(
    names.map((name) => readFile(join(folder, "processes", name), "utf8").catch(() => "")),
  );
  return texts.filter((text) => text !== "").map((text) => JSON.parse(text));
}
