import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { finishRemovals } from "../../src/control/app-removal.ts";
import { apps, artifacts } from "../../src/db/schema.ts";
import { artifactKey } from "../../src/storage/storage.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { silence } from "../harness/silent-storage.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const bytes = someBytes("of an app");
const digest = digestOf(bytes);
const request = { app_name: "shop", digest, size_bytes: bytes.length };

const hasBytes = async (aether: Harness): Promise<boolean> =>
  (await aether.storage.head(artifactKey("shop", digest))) !== undefined;

withDatabases("an app's removal", (open) => {
  test("holds up nobody while the store is silent, and no other server does it as well", async () => {
    await using aether = await createHarness({ open });
    await aether.store("shop", bytes);
    const silent = silence(aether, "remove");
    const removed = aether.send("DELETE", "/apps/shop");
    await silent.asked;
    expect(await finishRemovals(aether.control, aether.rollouts)).toBe(0);
    expect((await aether.send("POST", "/apps", { name: "other" })).status).toBe(201);
    // From here on its bytes may be gone: nothing of it is shown as stored.
    expect((await aether.send("GET", "/artifacts")).body).toEqual([]);
    silent.wake();
    expect((await removed).status).toBe(204);
    expect(await hasBytes(aether)).toBe(false);
  });

  test("a server that slept through it touches nothing of a new app of that name", async () => {
    await using aether = await createHarness({ open });
    await aether.store("shop", bytes);
    const silent = silence(aether, "list");
    const slept = aether.send("DELETE", "/apps/shop");
    await silent.asked;
    aether.control.storage = aether.storage;
    await aether.control.db.update(apps).set({ deletingAt: aether.control.now() }); // as when its time is over
    expect(await finishRemovals(aether.control, aether.rollouts)).toBe(1);
    expect((await aether.store("shop", bytes)).duplicate).toBe(false);
    silent.wake();
    expect((await slept).status).toBe(204);
    expect(await hasBytes(aether)).toBe(true);
    expect(await aether.control.db.select().from(artifacts)).toMatchObject([{ status: "stored" }]);
  });

  test("waits for bytes that are being removed already, and ends when they are gone", async () => {
    await using aether = await createHarness({ open, settings: { verifyLeaseMs: 100 } });
    await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    await aether.send("DELETE", `/artifacts/${digest}/upload?app=shop`);
    const silent = silence(aether, "remove");
    const anew = aether.send("POST", "/artifacts/presign", request); // takes away what was given up
    await silent.asked;
    expect((await aether.send("DELETE", "/apps/shop")).status).toBe(503);
    expect(await aether.control.db.select().from(apps).where(eq(apps.name, "shop"))).toHaveLength(1);
    silent.wake();
    expect((await anew).body).toMatchObject({ code: "conflict" });
    expect(await finishRemovals(aether.control, aether.rollouts)).toBe(1);
    expect(await aether.control.db.select().from(apps)).toEqual([]);
  });
});
