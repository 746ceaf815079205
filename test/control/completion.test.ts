import { expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { releaseLapsedClaims } from "../../src/control/verification-lease.ts";
import { artifacts, auditEvents } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { waitFor } from "../harness/wait-for.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

async function send(aether: Harness, bytes: Uint8Array) {
  const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const { body } = await aether.send("POST", "/artifacts/presign", request);
  expect((await put(body, bytes)).status).toBe(200);
  return request;
}

const rowOf = async (aether: Harness, digest: string) => {
  const [row] = await aether.control.db.select().from(artifacts).where(eq(artifacts.digest, digest));
  return row;
};

/** Makes the next read of an object wait until it is told to go on; counts all reads. */
function holdReads(aether: Harness) {
  const started = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const held = { reads: 0, started: started.promise, goOn: () => goOn.resolve() };
  const read: typeof aether.storage.read = async (key) => {
    held.reads += 1;
    if (held.reads === 1) {
      started.resolve();
      await goOn.promise;
    }
    return aether.storage.read(key);
  };
  aether.control.storage = { ...aether.storage, read };
  return held;
}

/** As a server that is killed while it verifies leaves the row. */
const leaveVerifying = (aether: Harness, digest: string, claim: string) =>
  aether.control.db
    .update(artifacts)
    .set({ status: "verifying", claimedUntil: sql.raw(`clock_timestamp() + interval '${claim}'`) })
    .where(eq(artifacts.digest, digest));

withDatabases("completion", (open) => {
  test("a second complete waits for the first, and the bytes are hashed once (K5)", async () => {
    await using aether = await createHarness({ open });
    const request = await send(aether, someBytes("hashed once"));
    const held = holdReads(aether);
    const first = aether.send("POST", "/artifacts/complete", request);
    await held.started;
    const second = aether.send("POST", "/artifacts/complete", request);
    expect(await rowOf(aether, request.digest)).toMatchObject({ status: "verifying" });
    held.goOn();
    expect(await first).toMatchObject({ status: 200, body: { duplicate: false } });
    expect(await second).toMatchObject({ status: 200, body: { duplicate: true } });
    expect(held.reads).toBe(1);
  });

  test("a verification that takes longer than its claim keeps renewing it", async () => {
    await using aether = await createHarness({ open, settings: { verifyLeaseMs: 2400 } }); // a busy machine renews late
    const request = await send(aether, someBytes("slow to read"));
    const held = holdReads(aether);
    const first = aether.send("POST", "/artifacts/complete", request);
    await held.started;
    const seen = new Set<number | undefined>();
    await waitFor("the claim to be renewed twice over", async () => {
      seen.add((await rowOf(aether, request.digest))?.claimedUntil?.getTime());
      expect(await releaseLapsedClaims(aether.control)).toBe(0);
      return seen.size === 3;
    });
    held.goOn();
    expect((await first).status).toBe(200);
    expect(held.reads).toBe(1);
  });

  test("what a killed server was verifying is taken over when its claim lapses (K5)", async () => {
    await using aether = await createHarness({ open, settings: { verifyLeaseMs: 1000 } });
    const request = await send(aether, someBytes("left behind"));
    await leaveVerifying(aether, request.digest, "300 milliseconds");
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({
      status: 200,
      body: { duplicate: false, status: "stored" },
    });
  });

  test("a poller returns it to pending when nobody asks, with its audit row, and one of two servers does", async () => {
    await using aether = await createHarness({ open });
    const request = await send(aether, someBytes("left behind, nobody asks"));
    await leaveVerifying(aether, request.digest, "10 seconds");
    expect(await releaseLapsedClaims(aether.control)).toBe(0);
    await leaveVerifying(aether, request.digest, "-1 second");
    const counts = await Promise.all([releaseLapsedClaims(aether.control), releaseLapsedClaims(aether.control)]);
    expect(counts.sort()).toEqual([0, 1]);
    expect(await rowOf(aether, request.digest)).toMatchObject({ status: "pending", claimedUntil: null });
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.before, "verifying"))
      .orderBy(auditEvents.id);
    expect(rows).toMatchObject([{ after: "pending", actor: "system" }]);
    expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
  });

  test("a server that slept through its claim neither stores nor deletes what is another's by now (F13)", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("woken too late");
    const request = await send(aether, bytes);
    const held = holdReads(aether);
    const sleeper = aether.send("POST", "/artifacts/complete", request);
    await held.started;
    aether.control.storage = aether.storage;
    await leaveVerifying(aether, request.digest, "-1 second"); // no renewal while it sleeps
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({ body: { duplicate: false } });
    held.goOn();
    expect(await sleeper).toMatchObject({ status: 200, body: { duplicate: true } });
    const stored = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.after, "stored"))
      .orderBy(auditEvents.id);
    expect(stored).toHaveLength(1);
  });

  test("a server that slept, and then finds bad bytes, touches nothing of the one that verifies now", async () => {
    await using aether = await createHarness({ open });
    const request = await send(aether, someBytes("good in the end"));
    const started = Promise.withResolvers<void>();
    const bad = Promise.withResolvers<ReadableStream<Uint8Array>>();
    const read: typeof aether.storage.read = () => {
      started.resolve();
      return bad.promise;
    };
    aether.control.storage = { ...aether.storage, read };
    const sleeper = aether.send("POST", "/artifacts/complete", request);
    await started.promise;
    aether.control.storage = aether.storage;
    await leaveVerifying(aether, request.digest, "10 seconds"); // the claim of another server
    bad.resolve(new Blob(["evil in the end"]).stream());
    expect(await sleeper).toMatchObject({ status: 400, body: { code: "digest_mismatch" } });
    expect(await rowOf(aether, request.digest)).toMatchObject({ status: "verifying" });
    expect(await aether.storage.head(`artifacts/shop/${request.digest}/app.tar.gz`)).toBeDefined();
  });

  test("presigning can be made mandatory (REG-E7)", async () => {
    await using aether = await createHarness({ open, settings: { requirePresign: true } });
    const bytes = someBytes("never asked for");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const refused = { status: 400, body: { code: "presign_required" } };
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject(refused);
    await aether.store("shop", someBytes("another"));
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject(refused);
    expect((await aether.store("shop", bytes)).duplicate).toBe(false);
    expect((await aether.send("POST", "/artifacts/complete", request)).body).toMatchObject({ duplicate: true });
  });

  test("where it is not, bytes that lie in storage become an artifact without having been asked for", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("put there by other means");
    const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
    const signed = await aether.storage.presignPut({
      key: `artifacts/shop/${request.digest}/app.tar.gz`,
      digest: request.digest,
      expiresSeconds: 60,
    });
    await put({ upload_url: signed.url, headers: signed.headers }, bytes);
    expect(await aether.send("POST", "/artifacts/complete", { ...request, app_name: "other" })).toMatchObject({
      status: 404,
      body: { code: "not_found" },
    });
    expect(await aether.send("POST", "/artifacts/complete", request)).toMatchObject({
      status: 200,
      body: { duplicate: false, status: "stored" },
    });
  });
});
