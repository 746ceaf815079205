import { expect, test } from "bun:test";
import { apps, artifacts } from "../../src/db/schema.ts";
import { appRemovals } from "../../src/pollers/app-removals.ts";
import { orphanUploads } from "../../src/pollers/orphan-uploads.ts";
import { pendingUploads } from "../../src/pollers/pending-uploads.ts";
import { retention } from "../../src/pollers/retention.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const signal = new AbortController().signal;
const names = ["a", "b", "c", "d", "e"];
const poison = digestOf(someBytes("c"));

/** A store that refuses for ever to remove anything of one artifact. */
function poisonOne(aether: Harness): void {
  const { storage } = aether;
  const refuse = <T extends unknown[]>(call: (key: string, ...rest: T) => Promise<void>) => {
    return async (key: string, ...rest: T) => {
      if (key.includes(poison)) throw new Error("the store refuses this one");
      await call(key, ...rest);
    };
  };
  aether.control.storage = {
    ...storage,
    remove: refuse(storage.remove),
    abandon: refuse(storage.abandon),
    abortMultipart: refuse(storage.abortMultipart),
  };
}

/** The lines of the log that name an item which failed. */
const failedLines = (aether: Harness) =>
  aether.lines.map((line) => JSON.parse(line)).filter(({ message }) => message.startsWith("one of many"));

const stored = async (aether: Harness) =>
  (await Array.fromAsync(aether.storage.list("artifacts/"))).map(({ key }) => key);

withDatabases("one item that always fails", (open) => {
  test("keeps no other upload from expiring, nor other bytes from being removed; it is named in each turn", async () => {
    await using aether = await createHarness({ open, settings: { retainLatestPerApp: 1 } });
    for (const name of names) {
      const bytes = someBytes(name);
      const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
      await put((await aether.send("POST", "/artifacts/presign", request)).body, bytes);
    }
    aether.advance(3_601_000);
    poisonOne(aether);
    await expect(pendingUploads(aether.control, 1000).tick(signal)).rejects.toThrow("1 of 5 could not be done");
    expect(await stored(aether)).toEqual([`artifacts/shop/${poison}/app.tar.gz`]);
    expect((await aether.control.db.select().from(artifacts)).map(({ status }) => status)).toEqual(
      names.map(() => "expired"),
    );
    expect((await aether.send("GET", "/metrics")).body).toMatch(/pending_gc_deleted\S* 5/);
    const [row] = (await aether.control.db.select().from(artifacts)).filter(({ digest }) => digest === poison);
    for (let turn = 1; turn <= 2; turn += 1) {
      await expect(retention(aether.control, 1000)[0]?.tick(signal)).rejects.toThrow("the store refuses this one");
      expect(failedLines(aether)).toHaveLength(1 + turn);
    }
    expect(failedLines(aether).every(({ artifact }) => artifact === row?.id)).toBe(true);
  });

  test("keeps no other app from being removed", async () => {
    await using aether = await createHarness({ open });
    for (const name of names) await aether.store(name, someBytes(name));
    await aether.control.db.update(apps).set({ deletingAt: aether.control.now() });
    poisonOne(aether);
    const tick = () => appRemovals(aether.control, aether.rollouts, 1000).tick(signal);
    await expect(tick()).rejects.toThrow("1 of 5 could not be done");
    expect((await aether.control.db.select().from(apps)).map(({ name }) => name)).toEqual(["c"]);
    expect(failedLines(aether)).toMatchObject([{ app: "c" }]);
    aether.control.storage = aether.storage;
    await tick();
    expect(await aether.control.db.select().from(apps)).toEqual([]);
  });

  test("keeps no other orphan upload from being aborted", async () => {
    await using aether = await createHarness({ open });
    for (const name of names)
      await aether.storage.startMultipart(`artifacts/shop/${digestOf(someBytes(name))}/app.tar.gz`);
    aether.advance(Date.now() + 3_700_000 - aether.control.now().getTime());
    poisonOne(aether);
    await expect(orphanUploads(aether.control, 1000).tick(signal)).rejects.toThrow("1 of 5 could not be done");
    expect(await Array.fromAsync(aether.storage.listMultiparts("artifacts/"))).toHaveLength(1);
  });

  test("a turn that is told to stop begins no further item", async () => {
    await using aether = await createHarness({ open });
    for (const name of names) await aether.store(name, someBytes(name));
    await aether.control.db.update(apps).set({ deletingAt: aether.control.now() });
    const stopping = new AbortController();
    const { storage } = aether;
    aether.control.storage = {
      ...storage,
      remove: async (key) => {
        stopping.abort();
        await storage.remove(key);
      },
    };
    await appRemovals(aether.control, aether.rollouts, 1000).tick(stopping.signal);
    expect(await aether.control.db.select().from(apps)).toHaveLength(4);
  });
});
