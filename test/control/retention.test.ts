import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { removeFailedDeployments } from "../../src/control/failed-deployments.ts";
import { retireArtifacts } from "../../src/control/retention.ts";
import { apps, artifacts, auditEvents } from "../../src/db/schema.ts";
import { createHarness, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const minute = 60_000;

/** Stores an artifact of `shop`, a minute after the one before it. */
async function store(aether: Harness, text: string): Promise<string> {
  aether.advance(minute);
  return (await aether.store("shop", someBytes(text))).digest;
}

async function deploy(aether: Harness, digest: string, verdict?: "running" | "failed"): Promise<string> {
  const { status, body } = await aether.send("POST", "/deployments", { app_name: "shop", digest });
  expect(status).toBe(201);
  await aether.rollouts.settle();
  if (verdict === "running") aether.runtime.succeed("shop", body.id);
  if (verdict === "failed") aether.runtime.fail("shop", {}, body.id);
  await aether.rollouts.settle();
  return body.id;
}

const stored = async (aether: Harness): Promise<string[]> => {
  const { body } = await aether.send("GET", "/artifacts?app=shop");
  return body.map(({ digest }: { digest: string }) => digest).reverse();
};

const hasBytes = async (aether: Harness, digest: string): Promise<boolean> =>
  (await aether.storage.head(`artifacts/shop/${digest}/app.tar.gz`)) !== undefined;

withDatabases("retention", (open) => {
  test("the newest artifacts stay, older ones go with their bytes, each with its audit row (REG-E11)", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 2 } });
    const [a = "", b = "", c = "", d = ""] = await stores(aether, ["a", "b", "c", "d"]);
    const other = await aether.store("other", someBytes("alone in its app"));
    expect(await retireArtifacts(aether.control)).toBe(2);
    expect(await stored(aether)).toEqual([c, d]);
    expect(await Promise.all([a, b, c, d].map((digest) => hasBytes(aether, digest)))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect((await aether.send("HEAD", `/artifacts/${other.digest}`)).status).toBe(200);
    expect((await aether.send("HEAD", `/artifacts/${a}`)).status).toBe(404);
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.after, "expired"))
      .orderBy(auditEvents.id);
    expect(rows).toMatchObject([
      { before: "stored", actor: "system", detail: { digest: a } },
      { before: "stored", actor: "system", detail: { digest: b } },
    ]);
    expect(await retireArtifacts(aether.control)).toBe(0);
    expect((await aether.store("shop", someBytes("a"))).duplicate).toBe(false);
  });

  test("the app's own numbers replace the server's, also for age", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 10 } });
    await stores(aether, ["a", "b"]);
    await aether.control.db.update(apps).set({ retainLatest: 1 }).where(eq(apps.name, "shop"));
    expect(await retireArtifacts(aether.control)).toBe(1);
    aether.control.settings.retainMaxAgeSecs = 600;
    expect(await retireArtifacts(aether.control)).toBe(0);
    await aether.control.db.update(apps).set({ retainMaxAgeSecs: 7200 }).where(eq(apps.name, "shop"));
    aether.advance(60 * minute);
    expect(await retireArtifacts(aether.control)).toBe(0);
    await aether.control.db.update(apps).set({ retainMaxAgeSecs: null }).where(eq(apps.name, "shop"));
    expect(await retireArtifacts(aether.control)).toBe(1);
    expect(await stored(aether)).toEqual([]);
  });

  test("an age that no time lies back keeps all of its app, and hinders no other's retention", async () => {
    await using aether = await createHarness({ open, settings: { retainMaxAgeSecs: 600 } });
    await stores(aether, ["a", "b"]);
    await aether.control.db.update(apps).set({ retainMaxAgeSecs: Number.MAX_SAFE_INTEGER });
    await aether.store("other", someBytes("of an app with the server's age"));
    aether.advance(60 * minute);
    expect(await retireArtifacts(aether.control)).toBe(1);
    expect(await stored(aether)).toHaveLength(2);
  });

  test("what runs, what waits to run, and what one could roll back to never goes", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 2, retainMaxAgeSecs: 1 } });
    const [longAgo = "", before = "", runs = "", superseded = "", failed = "", waits = "", unused = ""] = await stores(
      aether,
      ["long ago", "before", "runs", "superseded unrun", "failed", "waits", "unused"],
    );
    await deploy(aether, longAgo, "running");
    await deploy(aether, before, "running");
    await deploy(aether, runs, "running");
    await deploy(aether, failed, "failed");
    await deploy(aether, superseded); // by the next, before it ran
    await deploy(aether, waits);
    aether.advance(60 * minute);
    expect(await retireArtifacts(aether.control)).toBe(4);
    expect(await stored(aether)).toEqual([before, runs, waits]);
    for (const digest of [longAgo, superseded, failed, unused]) expect(await hasBytes(aether, digest)).toBe(false);
  });

  test("rolling back to one digest many times does not push the others out", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 2, retainMaxAgeSecs: 1 } });
    const [a = "", b = ""] = await stores(aether, ["a", "b"]);
    for (const digest of [a, b, b, b]) await deploy(aether, digest, "running");
    aether.advance(60 * minute);
    expect(await retireArtifacts(aether.control)).toBe(0);
  });

  test("what ran by a server of the release before, which wrote it to the audit only, can be rolled back to", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 2, retainMaxAgeSecs: 1 } });
    const { db } = aether.control;
    const [a = "", b = "", c = "", unused = ""] = await stores(aether, ["a", "b", "c", "unused"]);
    for (const digest of [a, b]) await deploy(aether, digest, "running");
    const rows = await db.select().from(artifacts).orderBy(artifacts.completedAt);
    expect(rows.map(({ ranVersion }) => ranVersion)).toEqual([1, 2, null, null]);
    for (const digest of [c, a, b]) await deploy(aether, digest, "running");
    const setRan = (digest: string, ranVersion: number | null) =>
      db.update(artifacts).set({ ranVersion }).where(eq(artifacts.digest, digest));
    await setRan(a, 1); // as an older server left it
    aether.advance(60 * minute);
    expect(await retireArtifacts(aether.control)).toBe(1);
    expect(await stored(aether)).toEqual([a, b, c]); // `c` as well: nobody told that `a` ran since
    expect(await hasBytes(aether, unused)).toBe(false);
    await setRan(b, null);
    expect(await retireArtifacts(aether.control)).toBe(0);
    await setRan(a, 4);
    await setRan(b, 5);
    expect(await retireArtifacts(aether.control)).toBe(1);
    expect(await stored(aether)).toEqual([a, b]);
  });

  test("bytes that a crash left after the row had expired are removed by the next turn, unless uploaded anew", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 1 } });
    const [a = "", b = ""] = await stores(aether, ["a", "b", "c"]);
    const killed = async () => {
      throw new Error("killed here");
    };
    aether.control.storage = { ...aether.storage, remove: killed, abandon: killed };
    await expect(retireArtifacts(aether.control)).rejects.toThrow("killed here");
    aether.control.storage = aether.storage;
    expect(await stored(aether)).toHaveLength(1);
    expect(await hasBytes(aether, a)).toBe(true);
    aether.advance(minute);
    const { duplicate } = await aether.store("shop", someBytes("b"));
    await retireArtifacts(aether.control);
    expect([duplicate, await hasBytes(aether, a), await hasBytes(aether, b)]).toEqual([false, false, true]);
  });

  test("deployments that failed long ago are removed, but never an app's newest (REG-E2, S9)", async () => {
    await using aether = await createHarness({ open, settings: { deploymentFailedTtlSecs: 3600 } });
    const digest = await store(aether, "a");
    const gone = await deploy(aether, digest, "failed");
    await deploy(aether, digest, "running");
    await deploy(aether, digest, "failed");
    expect(await removeFailedDeployments(aether.control)).toBe(0);
    aether.advance(61 * minute);
    expect(await removeFailedDeployments(aether.control)).toBe(1);
    const { body } = await aether.send("GET", "/apps/shop/deployments");
    expect(body.map(({ version }: { version: number }) => version)).toEqual([3, 2]);
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.subjectId, gone))
      .orderBy(auditEvents.id);
    expect(rows.at(-1)).toMatchObject({ action: "deployment.removed", before: "failed", actor: "system" });
    aether.control.settings.deploymentFailedTtlSecs = undefined;
    await deploy(aether, digest, "running");
    aether.advance(61 * minute);
    expect(await removeFailedDeployments(aether.control)).toBe(0);
  });
});

async function stores(aether: Harness, texts: string[]): Promise<string[]> {
  const digests: string[] = [];
  for (const text of texts) digests.push(await store(aether, text));
  return digests;
}
