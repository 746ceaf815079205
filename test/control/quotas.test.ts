import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { apps, artifacts } from "../../src/db/schema.ts";
import { createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

const requestFor = (bytes: Uint8Array, app = "shop") => ({
  app_name: app,
  digest: digestOf(bytes),
  size_bytes: bytes.length,
});

/** Bytes in storage that only wait for their completion. */
async function send(aether: Harness, bytes: Uint8Array) {
  const request = requestFor(bytes);
  const { body } = await aether.send("POST", "/artifacts/presign", request);
  expect((await put(body, bytes)).status).toBe(200);
  return request;
}

const statuses = async (aether: Harness) =>
  (await aether.control.db.select().from(artifacts)).map(({ status }) => status).sort();

async function storedObjects(aether: Harness): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of aether.storage.list("artifacts/")) keys.push(key);
  return keys;
}

withDatabases("quotas", (open) => {
  test("50 completes at once leave exactly as many artifacts as the quota allows (REG-E8)", async () => {
    await using aether = await createHarness({ open, settings: { maxConcurrentUploads: 50 } });
    const requests = await Promise.all(
      Array.from({ length: 50 }, (_, at) => send(aether, someBytes(`one of many ${at}`))),
    );
    await aether.control.db.update(apps).set({ maxArtifacts: 7 }).where(eq(apps.name, "shop"));
    const answers = await Promise.all(requests.map((request) => aether.send("POST", "/artifacts/complete", request)));
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused).toHaveLength(43);
    for (const answer of refused) expect(answer).toMatchObject({ status: 403, body: { code: "quota_exceeded" } });
    expect(refused[0]?.body.hint).toContain("An admin can raise the quota with aether apps set shop --max-artifacts ");
    expect(await statuses(aether)).toEqual([...Array(43).fill("expired"), ...Array(7).fill("stored")]);
    expect(await storedObjects(aether)).toHaveLength(7);
    expect((await aether.send("GET", "/metrics")).body).toContain("artifact_quota_exceeded_total 43");
  });

  test("50 completes at once never take more bytes than the quota allows", async () => {
    await using aether = await createHarness({ open, settings: { maxConcurrentUploads: 50 } });
    const bytesOf = (at: number) => new Uint8Array(1000).fill(at);
    const requests = await Promise.all(Array.from({ length: 50 }, (_, at) => send(aether, bytesOf(at))));
    await aether.control.db.update(apps).set({ maxTotalBytes: 5_999 }).where(eq(apps.name, "shop"));
    const answers = await Promise.all(requests.map((request) => aether.send("POST", "/artifacts/complete", request)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
    expect(await storedObjects(aether)).toHaveLength(5);
  });

  test("stored artifacts and uploads under way count when a URL is asked for, in one piece or in parts", async () => {
    await using aether = await createHarness({ open, settings: { maxArtifactsPerApp: 2 } });
    await aether.store("shop", someBytes("stored"));
    const pending = requestFor(someBytes("pending"));
    expect((await aether.send("POST", "/artifacts/presign", pending)).status).toBe(200);
    expect((await aether.send("POST", "/artifacts/presign", pending)).status).toBe(200);
    const third = requestFor(someBytes("third"));
    for (const path of ["/artifacts/presign", "/artifacts/multipart/init"]) {
      expect(await aether.send("POST", path, third)).toMatchObject({
        status: 403,
        body: {
          code: "quota_exceeded",
          message: 'The app "shop" has 2 stored and pending artifacts besides this one, and may have 2.',
        },
      });
    }
    expect(await statuses(aether)).toEqual(["pending", "stored"]);
    expect((await aether.send("POST", "/artifacts/presign", requestFor(someBytes("third"), "other"))).status).toBe(200);
    await aether.send("DELETE", `/artifacts/${pending.digest}/upload?app=shop`);
    expect((await aether.send("POST", "/artifacts/presign", third)).status).toBe(200);
  });

  test("an upload whose time is over no longer counts, and what is stored never stands in its own way", async () => {
    await using aether = await createHarness({ open, settings: { maxArtifactsPerApp: 1 } });
    await aether.send("POST", "/artifacts/presign", requestFor(someBytes("forgotten")));
    expect((await aether.send("POST", "/artifacts/presign", requestFor(someBytes("next")))).status).toBe(403);
    aether.advance(3_601_000);
    const bytes = someBytes("next");
    await aether.store("shop", bytes);
    expect((await aether.send("POST", "/artifacts/presign", requestFor(bytes))).body).toMatchObject({ method: "NONE" });
    expect((await aether.store("shop", bytes)).duplicate).toBe(true);
  });

  test("bytes that are announced count, and the app's own quota replaces the server's", async () => {
    await using aether = await createHarness({ open, settings: { maxTotalBytesPerApp: 1000 } });
    const announce = (text: string, size_bytes: number) =>
      aether.send("POST", "/artifacts/presign", { ...requestFor(someBytes(text)), size_bytes });
    expect((await announce("a", 600)).status).toBe(200);
    expect(await announce("b", 401)).toMatchObject({ status: 403, body: { code: "quota_exceeded" } });
    expect((await announce("b", 400)).status).toBe(200);
    await aether.control.db.update(apps).set({ maxTotalBytes: 2000 }).where(eq(apps.name, "shop"));
    expect((await announce("c", 1000)).status).toBe(200);
  });
});
