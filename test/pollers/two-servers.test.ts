import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import type { Control } from "../../src/control/control.ts";
import { artifacts, auditEvents, deployments } from "../../src/db/schema.ts";
import { lapsedVerifications } from "../../src/pollers/lapsed-verifications.ts";
import { pendingUploads } from "../../src/pollers/pending-uploads.ts";
import { retention } from "../../src/pollers/retention.ts";
import { digestOf, put, someBytes } from "../harness/control-plane.ts";
import { postgresTier } from "../harness/postgres.ts";
import { createTwoServers } from "../harness/two-servers.ts";

setDefaultTimeout(60_000);

/** The keys that a control plane removes from storage from now on. */
function countRemovals(control: Control): string[] {
  const removed: string[] = [];
  const { storage } = control;
  control.storage = {
    ...storage,
    remove: async (key) => {
      removed.push(key);
      await storage.remove(key);
    },
  };
  return removed;
}

const signal = new AbortController().signal;

describe.skipIf(!postgresTier().available)("two servers on one Postgres", () => {
  test("collect everything once: uploads, retired artifacts, failed deployments, lapsed verifications", async () => {
    await using servers = await createTwoServers({
      settings: { retainLatestPerApp: 1, deploymentFailedTtlSecs: 60, maxArtifactSizeBytes: 1000 },
    });
    const { one, two } = servers;
    const digests: string[] = [];
    for (let at = 0; at < 21; at += 1) digests.push((await one.store("shop", someBytes(`stored ${at}`))).digest);
    for (const digest of digests.slice(0, 11)) {
      const { body } = await one.send("POST", "/deployments", { app_name: "shop", digest });
      await one.rollouts.settle();
      one.runtime.fail("shop", {}, body.id);
      await one.rollouts.settle();
    }
    for (let at = 0; at < 40; at += 1) {
      const digest = digestOf(someBytes(`pending ${at}`));
      await one.send("POST", "/artifacts/presign", { app_name: "shop", digest, size_bytes: 10 });
    }
    for (const server of [one, two]) server.advance(3_601_000);
    const lapsed = digestOf(someBytes("pending 0"));
    await one.control.db
      .update(artifacts)
      .set({ status: "verifying", claimedUntil: sql`clock_timestamp() - interval '1 second'`, expiresAt: null })
      .where(eq(artifacts.digest, lapsed));

    const removals = [countRemovals(one.control), countRemovals(two.control)];
    const ticks = [one.control, two.control].flatMap((control) =>
      [pendingUploads(control, 1000), lapsedVerifications(control, 1000), ...retention(control, 1000)].map((poller) =>
        poller.tick(signal),
      ),
    );
    await Promise.all(ticks);
    // What one skipped because the other was at it is no work left over; a second turn finds nothing.
    const removed = removals.flat().sort();
    expect(removed).toHaveLength(39 + 20);
    expect(new Set(removed).size).toBe(removed.length);
    for (const poller of [pendingUploads(two.control, 1000), ...retention(two.control, 1000)])
      await poller.tick(signal);
    expect(removals.flat()).toHaveLength(39 + 20);

    const { db } = one.control;
    const audits = await db.select().from(auditEvents).where(eq(auditEvents.actor, "system")).orderBy(auditEvents.id);
    const count = (action: string, before: string) =>
      audits.filter((row) => row.action === action && row.before === before).length;
    expect(count("artifact.expired", "pending")).toBe(39);
    expect(count("artifact.expired", "stored")).toBe(20);
    expect(count("artifact.pending", "verifying")).toBe(1);
    expect(count("deployment.removed", "failed")).toBe(10);
    expect(await db.select().from(deployments)).toHaveLength(1);
  });

  test("an upload whose time is over on one, and that is asked for anew on the other, never loses the new bytes", async () => {
    await using servers = await createTwoServers();
    const { one, two } = servers;
    const outcomes = new Set<number>(); // 200, or 201 when the earlier bytes were there still
    for (let round = 0; round < 20; round += 1) {
      const bytes = someBytes(`contested ${round}`);
      const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
      const { body } = await one.send("POST", "/artifacts/presign", request);
      await put(body, bytes);
      for (const server of [one, two]) server.advance(3_601_000);
      const store = async () => {
        const { body: renewed } = await one.send("POST", "/artifacts/presign", request);
        const sent = await put(renewed, bytes);
        return (await one.send("POST", "/artifacts/complete", request)).status + (sent.ok ? 0 : 1);
      };
      const [status] = await Promise.all([store(), pendingUploads(two.control, 1000).tick(signal)]);
      outcomes.add(status);
      const [row] = await one.control.db.select().from(artifacts).where(eq(artifacts.digest, request.digest));
      const key = `artifacts/shop/${request.digest}/app.tar.gz`;
      const hasBytes = (await one.storage.head(key)) !== undefined;
      expect([row?.status, row?.expiresAt, row?.claimedUntil, hasBytes]).toEqual(["stored", null, null, true]);
    }
    expect([...outcomes].every((status) => status === 200 || status === 201)).toBe(true);
  });

  test("an app that one was asked to delete is stopped by the other too, and no other app is", async () => {
    await using servers = await createTwoServers();
    const { one, two } = servers;
    for (const name of ["shop", "blog"]) {
      const { digest } = await one.store(name, someBytes(name));
      await one.send("POST", "/deployments", { app_name: name, digest });
    }
    await two.rollouts.reconcile();
    expect(two.runtime.applied.map(({ app }) => app)).toEqual(["shop", "blog"]);
    expect((await one.send("DELETE", "/apps/shop")).status).toBe(204);
    for (const server of [one, two, one, two]) await server.rollouts.reconcile();
    expect([one.runtime.removed, two.runtime.removed]).toEqual([["shop"], ["shop"]]);
  });

  test("of retention and a deployment at the same time, one wins and the other sees it (F13)", async () => {
    await using servers = await createTwoServers({ settings: { retainLatestPerApp: 1 } });
    const { one, two } = servers;
    const [collect] = retention(two.control, 1000);
    for (let round = 0; round < 40; round += 1) {
      const { digest } = await one.store("shop", someBytes(`contested ${round}`));
      one.advance(1000);
      await one.store("shop", someBytes(`newer ${round}`));
      const [{ status, body }] = await Promise.all([
        one.send("POST", "/deployments", { app_name: "shop", digest }),
        collect?.tick(signal),
      ]);
      const [artifact] = await one.control.db.select().from(artifacts).where(eq(artifacts.digest, digest));
      const hasBytes = (await one.storage.head(`artifacts/shop/${digest}/app.tar.gz`)) !== undefined;
      if (status === 201) expect([artifact?.status, hasBytes]).toEqual(["stored", true]);
      else expect([status, body.code, artifact?.status, hasBytes]).toEqual([404, "not_found", "expired", false]);
      await one.rollouts.settle();
    }
  });
});
