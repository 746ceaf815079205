import { describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { system } from "../../src/control/control.ts";
import { expirePendingUploads } from "../../src/control/expiry.ts";
import { abortOrphanUploads } from "../../src/control/orphan-uploads.ts";
import { artifacts } from "../../src/db/schema.ts";
import { artifactKey } from "../../src/storage/storage.ts";
import { createHarness, digestOf, type HarnessOptions, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { createBucket, isMinio, s3Tier } from "../harness/object-store.ts";

describe.skipIf(!s3Tier().available)("with artifacts in S3", () => {
  withDatabases("uploads", (open) => {
    /** A control plane on a bucket that was probed, at the time that the store has as well. */
    async function start(settings: HarnessOptions["settings"] = {}) {
      const bucket = await createBucket();
      await bucket.storage.probe();
      const limits = { maxArtifactSizeBytes: 20_000_000, ...settings };
      const aether = await createHarness({ open, settings: limits, artifacts: bucket.storage });
      aether.advance(Date.now() - aether.control.now().getTime());
      return { ...aether, bucket };
    }
    type Started = Awaited<ReturnType<typeof start>>;

    function announce(text: string) {
      const bytes = someBytes(text);
      const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
      return { bytes, request, key: artifactKey("shop", request.digest) };
    }

    async function sent(aether: Started, text: string) {
      const announced = announce(text);
      const { body } = await aether.send("POST", "/artifacts/presign", announced.request);
      expect((await put(body, announced.bytes)).status).toBe(200);
      return announced;
    }

    /** How many stored objects were found to have their digest, by reading them. */
    async function timesHashed(aether: Started): Promise<number> {
      const { body } = await aether.send("GET", "/metrics");
      return Number(/^artifact_remote_hash_total\{outcome="match"\} (\d+)$/m.exec(body)?.[1]);
    }

    test("bytes go straight to the bucket, are hashed there, and are downloaded from there (REG-P2, E4)", async () => {
      await using aether = await start();
      const { request, key } = await sent(aether, "straight");
      const completed = await aether.send("POST", "/artifacts/complete", request);
      expect(completed).toMatchObject({ status: 200, body: { status: "stored", storage_key: key } });
      expect(await timesHashed(aether)).toBe(1);
      const download = await aether.send("GET", `/artifacts/${request.digest}/download`);
      const location = download.headers.get("location") ?? "";
      expect(location).toStartWith(`${aether.bucket.server.url}/${aether.bucket.bucket}/${key}?`);
      expect(await (await fetch(location)).text()).toBe("straight");
    });

    test.each<[string, (keys: { accessKeyId: string; secretAccessKey: string }) => object, RegExp]>([
      ["a bucket that is not there", () => ({ bucket: "no-such-bucket" }), /There is no bucket/],
      ["an unknown access key", (keys) => ({ credentials: { ...keys, accessKeyId: "nobody" } }), /access key/],
      ["a wrong secret", (keys) => ({ credentials: { ...keys, secretAccessKey: "not-the-secret" } }), /signature/],
    ])("a server with %s gives out no URL, and names its storage as the cause", async (_, options, why) => {
      const bucket = await createBucket();
      await using aether = await createHarness({ open, artifacts: bucket.open(options(bucket.server)) });
      const { request } = announce("nowhere");
      for (const path of ["/artifacts/presign", "/artifacts/multipart/init"]) {
        const { status, body } = await aether.send("POST", path, request);
        expect(status).toBe(503);
        expect(body).toMatchObject({ code: "service_unavailable", reason: "misconfigured" });
        expect(body.message).toContain("This server's storage is set up wrongly.");
        expect(body.message).toMatch(why);
        expect(body.hint).toContain("Whoever runs the server can mend it");
      }
      expect(await aether.control.db.select().from(artifacts)).toEqual([]);
    });

    test("a missing object never completes, and another size is refused (REG-E3)", async () => {
      await using aether = await start();
      const never = announce("never sent");
      await aether.send("POST", "/artifacts/presign", never.request);
      expect((await aether.send("POST", "/artifacts/complete", never.request)).status).toBe(404);
      const { request, key } = await sent(aether, "so long");
      const longer = { ...request, size_bytes: request.size_bytes + 1 };
      expect(await aether.send("POST", "/artifacts/complete", longer)).toMatchObject({
        status: 400,
        body: { code: "size_mismatch" },
      });
      expect(await aether.bucket.storage.head(key)).toBeUndefined();
    });

    test("an object that was replaced by another of its size is found out, deleted, and can be sent again (REG-E4, F5)", async () => {
      await using aether = await start({ verifyRemoteDigest: false });
      const { request, key } = await sent(aether, "good bytes");
      expect((await aether.bucket.request("PUT", `/${key}`, "evil bytes")).status).toBe(200);
      const answer = await aether.send("POST", "/artifacts/complete", request);
      expect(answer).toMatchObject({ status: 400, body: { code: "digest_mismatch" } });
      for (const digest of [request.digest, digestOf(someBytes("evil bytes"))])
        expect(answer.body.message).toContain(digest);
      expect(await aether.bucket.storage.head(key)).toBeUndefined();
      const [row] = await aether.control.db.select().from(artifacts);
      expect(row?.status).toBe("pending");
      await sent(aether, "good bytes");
      expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
    });

    test.each([
      [true, 400],
      [false, 200],
    ])("without re-hash the store's own checksum decides, when asked to: %p answers %d", async (compare, status) => {
      await using aether = await start({ verifyRemoteHash: false, verifyRemoteDigest: compare });
      const { request, key } = await sent(aether, "good bytes");
      const evil = Buffer.from(digestOf(someBytes("evil bytes")), "hex").toString("base64");
      const replaced = await aether.bucket.request("PUT", `/${key}`, "evil bytes", { "x-amz-checksum-sha256": evil });
      expect(replaced.status).toBe(200);
      expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(status);
    });

    test("while it is not known that the store refuses wrong bytes, every upload is hashed", async () => {
      await using aether = await start({ verifyRemoteHash: false });
      const trusted = await sent(aether, "trusted");
      expect((await aether.send("POST", "/artifacts/complete", trusted.request)).status).toBe(200);
      expect(await timesHashed(aether)).toBe(0);
      aether.control.storage = aether.bucket.open(); // not probed
      const hashed = await sent(aether, "hashed");
      expect((await aether.send("POST", "/artifacts/complete", hashed.request)).status).toBe(200);
      expect(await timesHashed(aether)).toBe(1);
    });

    test("other bytes sent in parts are found out and deleted, also where hashing is off or ends below their size", async () => {
      for (const settings of [{ verifyRemoteHash: false }, { remoteHashMaxBytes: 1 }]) {
        await using aether = await start(settings);
        const { request, key } = announce("good bytes");
        const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
        const part = { ...request, upload_id: upload.upload_id, part_number: 1 };
        const { body: signed } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
        const sent = await put({ upload_url: signed.url, headers: signed.headers }, someBytes("evil bytes"));
        const parts = [{ part_number: 1, etag: sent.headers.get("etag") ?? "" }];
        const join = { ...request, upload_id: upload.upload_id, parts };
        expect(await aether.send("POST", "/artifacts/multipart/complete", join)).toMatchObject({
          status: 400,
          body: { code: "digest_mismatch" },
        });
        expect(await aether.bucket.storage.head(key)).toBeUndefined();
      }
    });

    test("an abandoned upload's URL stores nothing; asked for again, it goes on (REG-E1)", async () => {
      await using aether = await start();
      const { bytes, request, key } = announce("changed my mind");
      const { body: leaked } = await aether.send("POST", "/artifacts/presign", request);
      expect((await aether.send("DELETE", `/artifacts/${request.digest}/upload?app=shop`)).status).toBe(204);
      expect((await put(leaked, bytes)).status).toBe(412);
      expect(await aether.bucket.storage.head(key)).toBeUndefined();
      await sent(aether, "changed my mind");
      expect((await aether.send("POST", "/artifacts/complete", request)).status).toBe(200);
    });

    test("uploads that nobody completed are removed, also in parts, also ones whose id was lost (REG-E2, K2)", async () => {
      await using aether = await start();
      const { key } = await sent(aether, "forgotten");
      const parts = announce("in parts");
      const { body } = await aether.send("POST", "/artifacts/multipart/init", parts.request);
      await aether.control.storage.startMultipart(parts.key); // and killed before the id was written down
      aether.advance(3_601_000);
      expect(await expirePendingUploads(aether.control, system)).toBe(2);
      expect(await aether.bucket.storage.head(key)).toBeUndefined();
      expect(await Array.fromAsync(aether.bucket.storage.listMultiparts(parts.key))).toEqual([]);
      const left = await (await aether.bucket.request("GET", "/?list-type=2")).text();
      expect(left).not.toContain("<Key>"); // not even the mark of an abandoned one: its URLs are over
      const part = { ...parts.request, upload_id: body.upload_id, part_number: 1 };
      expect((await aether.send("POST", "/artifacts/multipart/presign-part", part)).status).toBe(404);
    });

    test("multipart uploads that no row names are aborted once they are old; named and young ones stay (K2)", async () => {
      await using aether = await start();
      const { request, key } = announce("in parts");
      await aether.send("POST", "/artifacts/multipart/init", request);
      const orphan = await aether.control.storage.startMultipart(key);
      // MinIO lists the uploads of one whole key only: it is asked so that it answers as other stores do.
      const { listMultiparts } = aether.control.storage;
      if (isMinio())
        aether.control.storage.listMultiparts = (prefix) => listMultiparts(key.startsWith(prefix) ? key : prefix);
      expect(await abortOrphanUploads(aether.control)).toBe(0);
      aether.advance(3_599_000);
      expect(await abortOrphanUploads(aether.control)).toBe(0);
      aether.advance(60_000);
      expect(await abortOrphanUploads(aether.control)).toBe(1);
      const left = await Array.fromAsync(listMultiparts(key));
      const [row] = await aether.control.db.select().from(artifacts).where(eq(artifacts.digest, request.digest));
      expect(left.map(({ uploadId }) => uploadId)).toEqual([row?.uploadId ?? ""]);
      expect(row?.uploadId).not.toBe(orphan);
    });

    test("parts go straight to the bucket and are joined and hashed there (REG-E9)", async () => {
      await using aether = await start();
      const bytes = new Uint8Array(6_000_000).map((_, at) => at % 251);
      const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
      const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
      const parts: { part_number: number; etag: string }[] = [];
      for (const part_number of [1, 2]) {
        const piece = bytes.slice((part_number - 1) * 5_242_880, part_number * 5_242_880);
        const place = { ...request, upload_id: upload.upload_id, part_number, size_bytes: piece.length };
        const { body } = await aether.send("POST", "/artifacts/multipart/presign-part", place);
        const answer = await put({ upload_url: body.url, headers: body.headers }, piece);
        parts.push({ part_number, etag: answer.headers.get("etag") ?? "" });
      }
      const join = { ...request, upload_id: upload.upload_id, parts };
      for (const duplicate of [false, true])
        expect(await aether.send("POST", "/artifacts/multipart/complete", join)).toMatchObject({
          status: 200,
          body: { duplicate },
        });
      expect(await timesHashed(aether)).toBe(1);
    });

    test("the old way sends the bytes on to the bucket", async () => {
      await using aether = await start();
      const form = new FormData();
      form.set("app_name", "shop");
      form.set("artifact", new Blob(["by form"]), "app.tar.gz");
      const send = (digest: string) =>
        fetch(`${aether.api}/artifacts`, {
          method: "POST",
          body: form,
          headers: { "x-aether-artifact-digest": digest },
        });
      const { request, key } = announce("by form");
      expect(await (await send(request.digest)).json()).toMatchObject({ duplicate: false });
      expect(await aether.bucket.storage.head(key)).toMatchObject({ sizeBytes: 7, checksum: request.digest });
      const wrong = await send(digestOf(someBytes("other")));
      expect([wrong.status, ((await wrong.json()) as { code: string }).code]).toEqual([400, "digest_mismatch"]);
    });
  });
});
