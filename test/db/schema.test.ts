import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import type { Db } from "../../src/db/client.ts";
import { asDatabaseError, databaseCode, isTransient, isUniqueViolation } from "../../src/db/failures.ts";
import { apps, artifacts, auditEvents, deployments } from "../../src/db/schema.ts";
import { withDatabases } from "../harness/database.ts";

const digest = "a".repeat(64);
const completedAt = new Date("2026-01-31T12:00:00.123Z");

async function seed(db: Db) {
  const [shop, bank] = await db
    .insert(apps)
    .values([{ name: "shop" }, { name: "bank" }])
    .returning();
  if (!shop || !bank) throw new Error("The apps were not inserted.");
  const stored = { appId: shop.id, digest, storageKey: "k", status: "stored", completedAt } as const;
  const [artifact] = await db.insert(artifacts).values(stored).returning();
  if (!artifact) throw new Error("The artifact was not inserted.");
  return { shop, bank, artifact, release: { appId: shop.id, artifactId: artifact.id, digest, version: 1 } };
}

type Seed = Awaited<ReturnType<typeof seed>>;

withDatabases("schema", (open) => {
  test("rows come back as they were written: dates, large numbers, JSON, defaults", async () => {
    await using database = await open();
    const { db } = database;
    const { shop, artifact, release } = await seed(db);
    expect(artifact).toMatchObject({ completedAt, verified: false, sizeBytes: null });
    expect(artifact.createdAt).toBeInstanceOf(Date);
    await db
      .update(apps)
      .set({ maxTotalBytes: 2 ** 52 })
      .where(eq(apps.id, shop.id));
    expect((await db.select().from(apps).where(eq(apps.id, shop.id)))[0]?.maxTotalBytes).toBe(2 ** 52);
    expect(await db.select().from(artifacts).where(eq(artifacts.completedAt, completedAt))).toHaveLength(1);
    const config = { start: 'it\'s "quoted" \\ and ünïcode', port: 3000, health: { path: "/ok" } };
    const [deployment] = await db
      .insert(deployments)
      .values({ ...release, config, failureLog: ["a", "b"] })
      .returning();
    expect(deployment).toMatchObject({
      config,
      failureLog: ["a", "b"],
      status: "pending",
      process: "web",
      replicas: 1,
    });
    const event = { actor: "a", action: "b", subjectType: "c", subjectId: "d", detail: { digest } };
    const events = await db.insert(auditEvents).values([event, event]).returning();
    expect(events.map(({ id }) => id)).toEqual([1, 2]);
    expect(events[0]?.detail).toEqual({ digest });
  });

  test.each<[string, string, (db: Db, seed: Seed) => PromiseLike<unknown>]>([
    ["two apps of one name", "23505", (db) => db.insert(apps).values({ name: "shop" })],
    ["an app name outside the rule", "23514", (db) => db.insert(apps).values({ name: "Shop" })],
    ["a negative quota", "23514", (db) => db.update(apps).set({ maxArtifacts: -1 })],
    [
      "one digest twice in an app",
      "23505",
      (db, { shop }) => db.insert(artifacts).values({ appId: shop.id, digest, storageKey: "k" }),
    ],
    ["an upper-case digest", "23514", (db) => db.update(artifacts).set({ digest: "A".repeat(64) })],
    ["a short digest", "23514", (db) => db.update(artifacts).set({ digest: "a".repeat(63) })],
    ["stored without a time", "23514", (db) => db.update(artifacts).set({ completedAt: null })],
    ["a negative size", "23514", (db) => db.update(artifacts).set({ sizeBytes: -1 })],
    ["an unknown artifact status", "23514", (db) => db.update(artifacts).set({ status: "lost" as "stored" })],
    [
      "another app's artifact in a deployment",
      "23503",
      (db, { bank, release }) => db.insert(deployments).values({ ...release, appId: bank.id }),
    ],
    [
      "another digest than the artifact's in a deployment",
      "23503",
      (db, { release }) => db.insert(deployments).values({ ...release, digest: "b".repeat(64) }),
    ],
    ["one version twice", "23505", (db, { release }) => db.insert(deployments).values([release, release])],
    [
      "an unknown failure reason",
      "23514",
      (db, { release }) => db.insert(deployments).values({ ...release, failureReason: "bad luck" as "exited" }),
    ],
    [
      "a failure without a reason",
      "23514",
      (db, { release }) => db.insert(deployments).values({ ...release, status: "failed" }),
    ],
    ["version 0", "23514", (db, { release }) => db.insert(deployments).values({ ...release, version: 0 })],
    [
      "fewer than no replicas",
      "23514",
      (db, { release }) => db.insert(deployments).values({ ...release, replicas: -1 }),
    ],
    [
      "an artifact removed under its deployment",
      "23503",
      async (db, { release, artifact }) => {
        await db.insert(deployments).values(release);
        await db.delete(artifacts).where(eq(artifacts.id, artifact.id));
      },
    ],
  ])("the database refuses %s", async (_, code, write) => {
    await using database = await open();
    const seeded = await seed(database.db);
    const failure = await Promise.resolve(write(database.db, seeded)).then(
      () => undefined,
      (error) => error,
    );
    expect(databaseCode(failure)).toBe(code);
    expect([isUniqueViolation(failure), isTransient(failure)]).toEqual([code === "23505", false]);
    expect(asDatabaseError(failure)).toBe(failure);
  });

  test("the same version number is free in another environment and another process", async () => {
    await using database = await open();
    const { release } = await seed(database.db);
    await database.db
      .insert(deployments)
      .values([release, { ...release, environment: "preview" }, { ...release, process: "worker" }]);
  });

  test("a unique violation names its constraint on both drivers", async () => {
    await using database = await open();
    await seed(database.db);
    const failure = await database.db
      .insert(apps)
      .values({ name: "shop" })
      .catch((error: unknown) => error);
    expect(isUniqueViolation(failure, "apps_name_unique")).toBe(true);
    expect(isUniqueViolation(failure, "apps_pkey")).toBe(false);
  });
});
