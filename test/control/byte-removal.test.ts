import { expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { system } from "../../src/control/control.ts";
import { expirePendingUploads } from "../../src/control/expiry.ts";
import { retireArtifacts } from "../../src/control/retention.ts";
import { apps, artifacts } from "../../src/db/schema.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { artifactKey } from "../../src/storage/storage.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { silence } from "../harness/silent-storage.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const bytes = someBytes("here today");
const digest = digestOf(bytes);
const request = { app_name: "shop", digest, size_bytes: bytes.length };

async function sendBytes(aether: Harness) {
  const { body } = await aether.send("POST", "/artifacts/presign", request);
  expect((await put(body, bytes)).status).toBe(200);
  return body;
}

const rowOf = async (aether: Harness) => {
  const [row] = await aether.control.db.select().from(artifacts).where(eq(artifacts.digest, digest));
  return row;
};

const hasBytes = async (aether: Harness): Promise<boolean> =>
  (await aether.storage.head(artifactKey("shop", digest))) !== undefined;

const giveUp = (aether: Harness) => aether.send("DELETE", `/artifacts/${digest}/upload?app=shop`);
const complete = (aether: Harness) => aether.send("POST", "/artifacts/complete", request);

/** As when the server that made the claim has died and its time is over. */
const lapse = (aether: Harness) =>
  aether.control.db
    .update(artifacts)
    .set({ claimedUntil: sql`clock_timestamp() - interval '1 second'` })
    .where(eq(artifacts.digest, digest));

type Removal = [name: string, prepare: (aether: Harness) => Promise<unknown>, remove: (aether: Harness) => unknown];
const removals: Removal[] = [
  ["an upload is given up", sendBytes, giveUp],
  [
    "an upload's time is over",
    async (aether) => {
      await sendBytes(aether);
      aether.advance(3_601_000);
    },
    (aether) => expirePendingUploads(aether.control, system),
  ],
  [
    "an artifact is retired",
    async (aether) => {
      await aether.store("shop", bytes);
      aether.advance(60_000);
      await aether.store("shop", someBytes("newer"));
    },
    (aether) => retireArtifacts(aether.control),
  ],
  [
    "bytes are bad",
    async (aether) => sendBytes(aether),
    (aether) => aether.send("POST", "/artifacts/complete", { ...request, size_bytes: 3 }),
  ],
  [
    "the quota refuses an upload",
    async (aether) => {
      await sendBytes(aether);
      await aether.control.db.update(apps).set({ maxArtifacts: 0 });
    },
    complete,
  ],
  [
    "an upload is asked for anew that was given up",
    async (aether) => {
      await sendBytes(aether);
      await giveUp(aether);
    },
    (aether) => aether.send("POST", "/artifacts/presign", request),
  ],
];

withDatabases("bytes that go", (open) => {
  test.each(removals)(
    "when %s and the store is silent, the database answers all others",
    async (_, prepare, remove) => {
      await using aether = await createHarness({ open, settings: { retainLatestPerApp: 1 } });
      await prepare(aether);
      const silent = silence(aether, "remove", "abandon");
      const removed = remove(aether);
      await silent.asked;
      const other = { app_name: "other", digest: digestOf(someBytes("other")), size_bytes: 5 };
      expect((await aether.send("POST", "/artifacts/presign", other)).status).toBe(200);
      expect((await aether.send("GET", "/artifacts")).status).toBe(200);
      // Nor is the app held, nor the row: its lease can be seen and taken.
      expect((await aether.send("PATCH", "/apps/shop", { max_artifacts: 9 })).status).toBe(200);
      expect((await rowOf(aether))?.claimedUntil).toBeInstanceOf(Date);
      await aether.control.db.update(artifacts).set({ verified: false });
      silent.wake();
      await removed;
      const row = await rowOf(aether);
      expect(["pending", "expired"]).toContain(String(row?.status));
      expect([row?.claimedUntil, await hasBytes(aether)]).toEqual([null, false]);
    },
  );

  test("an upload of bytes that are being removed begins when they are gone, and keeps its own", async () => {
    await using aether = await createHarness({ open, settings: { verifyLeaseMs: 100 } });
    await sendBytes(aether);
    aether.advance(3_601_000);
    const silent = silence(aether, "remove", "abandon");
    const removed = expirePendingUploads(aether.control, system);
    await silent.asked;
    for (const path of ["/artifacts/presign", "/artifacts/multipart/init"])
      expect(await aether.send("POST", path, request)).toMatchObject({
        status: 503,
        body: { code: "service_unavailable", message: expect.stringContaining("still being removed") },
      });
    expect((await rowOf(aether))?.status).toBe("expired");
    silent.wake();
    expect(await removed).toBe(1);
    expect((await aether.store("shop", bytes)).duplicate).toBe(false);
    expect([(await rowOf(aether))?.status, await hasBytes(aether)]).toEqual(["stored", true]);
  });

  test("an upload that waits goes on as soon as the removal has ended", async () => {
    await using aether = await createHarness({ open });
    await sendBytes(aether);
    const silent = silence(aether, "remove", "abandon");
    const given = giveUp(aether);
    await silent.asked;
    const stored = aether.store("shop", bytes);
    silent.wake();
    expect((await given).status).toBe(204);
    expect((await stored).duplicate).toBe(false);
    expect(await hasBytes(aether)).toBe(true);
  });

  test("a server that slept through its claim touches nothing of the upload that came after", async () => {
    await using aether = await createHarness({ open });
    await sendBytes(aether);
    const silent = silence(aether, "listMultiparts");
    const slept = giveUp(aether);
    await silent.asked;
    await lapse(aether);
    aether.control.storage = aether.storage;
    await retireArtifacts(aether.control); // another server takes over
    expect([await rowOf(aether), await hasBytes(aether)]).toMatchObject([
      { status: "expired", expiresAt: null },
      false,
    ]);
    await aether.store("shop", bytes);
    silent.wake();
    expect((await slept).status).toBe(204); // what was given up is gone
    expect([(await rowOf(aether))?.status, await hasBytes(aether)]).toEqual(["stored", true]);
  });

  test("what a dead server was removing is not taken before its claim has lapsed, and then by the next turn", async () => {
    await using aether = await createHarness({ open });
    await sendBytes(aether);
    const silent = silence(aether, "remove", "abandon");
    const never = giveUp(aether);
    await silent.asked;
    aether.control.storage = aether.storage;
    await retireArtifacts(aether.control);
    expect(await hasBytes(aether)).toBe(true);
    await lapse(aether);
    await retireArtifacts(aether.control);
    expect([await rowOf(aether), await hasBytes(aether)]).toMatchObject([
      { status: "expired", expiresAt: null, claimedUntil: null },
      false,
    ]);
    silent.wake();
    await never;
  });

  test("giving up fails while the store does, and succeeds afterwards, when the URLs have stopped", async () => {
    await using aether = await createHarness({ open });
    const signed = await sendBytes(aether);
    const away = () => Promise.reject(new AetherError("service_unavailable", "The storage is away."));
    aether.control.storage = { ...aether.storage, abandon: away };
    for (let time = 1; time <= 2; time += 1) expect((await giveUp(aether)).status).toBe(503);
    expect(await hasBytes(aether)).toBe(true);
    aether.control.storage = aether.storage;
    expect((await giveUp(aether)).status).toBe(204);
    expect([await hasBytes(aether), (await put(signed, bytes)).status]).toEqual([false, 403]);
    expect((await giveUp(aether)).status).toBe(404);
  });
});
