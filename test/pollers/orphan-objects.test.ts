import { describe, expect, test } from "bun:test";
import { finishRemovals } from "../../src/control/app-removal.ts";
import { createOrphanSweep } from "../../src/control/orphan-objects.ts";
import { retireArtifacts } from "../../src/control/retention.ts";
import { apps, artifacts } from "../../src/db/schema.ts";
import type { ArtifactStorage } from "../../src/storage/storage.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { createBucket, s3Tier } from "../harness/object-store.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const requestFor = (text: string, app_name = "shop") => {
  const bytes = someBytes(text);
  return { app_name, digest: digestOf(bytes), size_bytes: bytes.length };
};
const keyOf = ({ app_name, digest }: ReturnType<typeof requestFor>) => `artifacts/${app_name}/${digest}/app.tar.gz`;

/** The time that the store has, which dates objects by itself. */
const atPresent = (aether: Harness) => aether.advance(Date.now() - aether.control.now().getTime());
const hours = 3_600_000;

/** One turn of the sweep, and of all that remove what it found; says what lies in storage then. */
async function sweep(aether: Harness): Promise<string[]> {
  const { control, rollouts } = aether;
  await createOrphanSweep(control)();
  await retireArtifacts(control);
  await finishRemovals(control, rollouts);
  const left = await Array.fromAsync(control.storage.list("artifacts/", { withMarks: true }));
  return left.map(({ key }) => key).sort();
}

/** As a URL does that was still out. */
const storeLate = async (storage: ArtifactStorage, text: string, app?: string) => {
  const { digest, size_bytes: sizeBytes, ...request } = requestFor(text, app);
  const key = keyOf({ ...request, digest, size_bytes: sizeBytes });
  const signed = await storage.presignPut({ key, digest, sizeBytes, expiresSeconds: 900 });
  expect((await put({ upload_url: signed.url, headers: signed.headers }, someBytes(text))).status).toBe(200);
};

/** Tests that hold for every kind of storage. */
function sweeps(start: () => Promise<Harness & AsyncDisposable>): void {
  test("bytes that came after their app was removed go, with a new app of that name or without", async () => {
    await using aether = await start();
    for (const name of ["gone", "back"]) {
      await aether.send("POST", "/artifacts/presign", requestFor("late", name));
      expect((await aether.send("DELETE", `/apps/${name}`)).status).toBe(204);
      await storeLate(aether.control.storage, "late", name);
    }
    await aether.store("back", someBytes("new"));
    const late = [requestFor("late", "back"), requestFor("late", "gone")].map(keyOf);
    const kept = keyOf(requestFor("new", "back"));
    expect(await sweep(aether)).toEqual([...late, kept].sort()); // they might be an upload under way
    aether.advance(3 * hours);
    expect(await sweep(aether)).toEqual([kept]);
    expect((await aether.control.db.select().from(apps)).map(({ name }) => name)).toEqual(["back"]);
    expect((await aether.store("back", someBytes("late"))).duplicate).toBe(false);
  });

  test("what this database never knew of stays, and what it stands for as well", async () => {
    await using aether = await start();
    await storeLate(aether.control.storage, "of another server", "other");
    await aether.store("shop", someBytes("stored"));
    await aether.send("POST", "/artifacts/presign", requestFor("pending"));
    await storeLate(aether.control.storage, "pending");
    aether.advance(3 * hours);
    const all = [requestFor("of another server", "other"), requestFor("stored"), requestFor("pending")];
    expect(await sweep(aether)).toEqual(all.map(keyOf).sort());
  });

  test("an upload that begins between two turns keeps its bytes", async () => {
    await using aether = await start();
    await aether.send("POST", "/artifacts/presign", requestFor("again"));
    await aether.send("DELETE", "/apps/shop");
    await storeLate(aether.control.storage, "again");
    await aether.store("shop", someBytes("of the new app"));
    aether.advance(3 * hours);
    expect(await createOrphanSweep(aether.control)()).toBe(1);
    await aether.store("shop", someBytes("again")); // takes the old bytes away itself
    await retireArtifacts(aether.control);
    expect(await sweep(aether)).toContain(keyOf(requestFor("again")));
    expect((await aether.control.db.select().from(artifacts)).map(({ status }) => status)).toEqual([
      "stored",
      "stored",
    ]);
  });
}

withDatabases("the sweep of files", (open) => {
  sweeps(async () => {
    const aether = await createHarness({ open });
    atPresent(aether);
    return aether;
  });
});

describe.skipIf(!s3Tier().available)("the sweep of a bucket", () => {
  const start = async () => {
    const bucket = await createBucket({ pageSize: 2 });
    const aether = await createHarness({ artifacts: bucket.storage });
    atPresent(aether);
    return aether;
  };
  sweeps(start);

  test("marks of uploads that were given up go once their URLs are over", async () => {
    await using aether = await start();
    const request = requestFor("given up");
    await aether.send("POST", "/artifacts/presign", request);
    await aether.send("DELETE", `/artifacts/${request.digest}/upload?app=shop`);
    expect(await sweep(aether)).toEqual([keyOf(request)]);
    aether.advance(3 * hours);
    expect(await sweep(aether)).toEqual([]);
    expect((await aether.store("shop", someBytes("given up"))).duplicate).toBe(false);
  });
});
