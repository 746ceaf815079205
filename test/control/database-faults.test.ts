import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eq } from "drizzle-orm";
import postgres from "postgres";
import { transact } from "../../src/control/transactions.ts";
import { migrate } from "../../src/db/migrate.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { apps, artifacts, deployments } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { createDatabaseProxy } from "../harness/database-proxy.ts";
import { createPostgresUrl, postgresTier } from "../harness/postgres.ts";
import { waitFor } from "../harness/wait-for.ts";

setDefaultTimeout(60_000);

/** A control plane whose way to Postgres can be broken. */
async function createBreakable() {
  const stack = new AsyncDisposableStack();
  const { url } = stack.use(await createPostgresUrl());
  const proxy = stack.use(await createDatabaseProxy(url));
  const aether = stack.use(
    await createHarness({
      settings: { verifyLeaseMs: 500 },
      open: async () => {
        const database = await openPostgres(proxy.url, { info: () => {}, warn: () => {} });
        await migrate(database.db);
        return { ...database, [Symbol.asyncDispose]: () => database.close() };
      },
    }),
  );
  const admin = postgres(new URL("/postgres", url).href, { max: 1 }); // another database: it is not cut off
  stack.defer(() => admin.end());
  return { aether, proxy, url, admin, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(!postgresTier().available)("a database in trouble (F8)", () => {
  test("a connection cut between COMMIT and its reply makes nothing twice: presign, complete, deployment", async () => {
    await using breakable = await createBreakable();
    const { aether, proxy } = breakable;
    const bytes = someBytes("committed and never told");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    await aether.send("POST", "/apps", { name: "shop" });

    proxy.cutCommits(1);
    const presigned = await aether.send("POST", "/artifacts/presign", request);
    expect([presigned.status, proxy.cuts()]).toEqual([200, 1]);
    await put(presigned.body, bytes);
    const read: typeof aether.storage.read = (key) => {
      proxy.cutCommits(1); // the one that makes it stored
      return aether.storage.read(key);
    };
    aether.control.storage = { ...aether.storage, read };
    proxy.cutCommits(1); // the one that claims it
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({ status: 200 });
    expect(proxy.cuts()).toBe(3);
    proxy.cutCommits(1);
    const deployment = { app_name: "shop", digest: request.digest, idempotency_key: "once" };
    const created = await aether.send("POST", "/deployments", deployment);
    expect([created.status, created.body.version, proxy.cuts()]).toEqual([201, 1, 4]);
    expect((await aether.send("POST", "/deployments", deployment)).body.id).toBe(created.body.id);

    const { db } = aether.control;
    expect(await db.select().from(artifacts)).toMatchObject([{ status: "stored", claimedUntil: null }]);
    expect(await db.select().from(deployments)).toHaveLength(1);
  });

  test("without a key nothing is repeated that may have happened: the client is told to look", async () => {
    await using breakable = await createBreakable();
    const { aether, proxy } = breakable;
    const { digest } = await aether.store("shop", someBytes("no key"));
    proxy.cutCommits(100); // the sequencer commits too, of what was stored
    const answer = await aether.send("POST", "/deployments", { app_name: "shop", digest });
    proxy.cutCommits(0);
    expect(answer).toMatchObject({ status: 503, body: { code: "service_unavailable" } });
    expect(await aether.control.db.select().from(deployments)).toHaveLength(1);
  });

  test("while Postgres is away /readyz fails and /health does not; afterwards all is as before", async () => {
    await using breakable = await createBreakable();
    const { aether, proxy } = breakable;
    const { digest } = await aether.store("shop", someBytes("before"));
    proxy.goAway();
    const ready = await aether.send("GET", "/readyz");
    expect(ready).toMatchObject({ status: 503, body: { code: "service_unavailable" } });
    expect((await aether.send("GET", "/health")).status).toBe(200);
    expect(await aether.send("GET", "/deployments")).toMatchObject({ status: 503 });
    proxy.comeBack();
    await waitFor("readiness", async () => (await aether.send("GET", "/readyz")).status === 200, {
      withinMs: 30_000,
    });
    expect((await aether.send("HEAD", `/artifacts/${digest}`)).status).toBe(200);
  });

  test("a Postgres that is back within seconds fails no request that may be repeated", async () => {
    await using breakable = await createBreakable();
    const { aether, proxy } = breakable;
    const { digest } = await aether.store("shop", someBytes("patient"));
    proxy.goAway();
    const answer = transact(
      aether.control,
      async (tx) => {
        const [row] = await tx.select().from(artifacts).where(eq(artifacts.digest, digest)).for("update");
        return row?.status;
      },
      { repeatable: true },
    );
    await waitFor("a second attempt", () => aether.lines.some((line) => line.includes("a transaction is tried again")));
    proxy.comeBack();
    expect(await answer).toBe("stored");
  });

  test("a database that became a replica is not ready, and the next primary is found without a restart", async () => {
    await using breakable = await createBreakable();
    const { aether, admin } = breakable;
    const { digest } = await aether.store("shop", someBytes("failing over"));
    const name = new URL(breakable.url).pathname.slice(1);
    await admin.unsafe(`alter database ${name} set default_transaction_read_only = on`);
    await admin.unsafe(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    const ready = () => aether.send("GET", "/readyz");
    await waitFor("a replica to be noticed", async () => (await ready()).body.message?.includes("takes no writes"));
    const refused = await aether.send("POST", "/deployments", { app_name: "shop", digest });
    expect(refused).toMatchObject({ status: 503, body: { code: "service_unavailable" } });
    expect((await aether.send("GET", `/artifacts/${digest}`)).status).toBe(200);
    await admin.unsafe(`alter database ${name} reset default_transaction_read_only`);
    await waitFor("the primary", async () => (await ready()).status === 200, { withinMs: 30_000 });
    expect((await aether.send("POST", "/deployments", { app_name: "shop", digest })).status).toBe(201);
  });

  test("transactions that wait for each other, or see each other's writes, are repeated until both are through", async () => {
    await using breakable = await createBreakable();
    const { aether } = breakable;
    await aether.send("POST", "/apps", { name: "one" });
    await aether.send("POST", "/apps", { name: "two" });
    const { control } = aether;
    const bothHoldOne = Promise.withResolvers<void>();
    let holding = 0;
    const lock = (first: string, second: string) =>
      transact(control, async (tx) => {
        const take = (name: string) => tx.update(apps).set({ retainLatest: 5 }).where(eq(apps.name, name));
        await take(first);
        holding += 1;
        if (holding === 2) bothHoldOne.resolve();
        await bothHoldOne.promise;
        await take(second);
      });
    await Promise.all([lock("one", "two"), lock("two", "one")]); // 40P01 for one of them
    expect(holding).toBe(3);

    let attempts = 0;
    await transact(control, async (tx) => {
      attempts += 1;
      await tx.execute("set transaction isolation level repeatable read");
      const [{ retainLatest } = { retainLatest: null }] = await tx.select().from(apps).where(eq(apps.name, "one"));
      if (attempts === 1) await control.db.update(apps).set({ retainLatest: 6 }).where(eq(apps.name, "one"));
      await tx
        .update(apps)
        .set({ retainLatest: (retainLatest ?? 0) + 1 })
        .where(eq(apps.name, "one")); // 40001
    });
    const [one] = await control.db.select().from(apps).where(eq(apps.name, "one"));
    expect([attempts, one?.retainLatest]).toEqual([2, 7]);
  });
});
