import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { getApp } from "../../src/control/apps.ts";
import { activeKeysOf, addKey, revokeKey } from "../../src/control/keys.ts";
import { artifacts, auditEvents } from "../../src/db/schema.ts";
import { agentToken, apiToken, createHarness, digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { createSigner } from "../harness/signing.ts";

type Harness = Awaited<ReturnType<typeof createHarness>>;

async function appWithKey(aether: Harness, app = "shop") {
  const signer = createSigner();
  await aether.send("POST", "/apps", { name: app });
  const added = await aether.send("POST", `/apps/${app}/public-keys`, { public_key_hex: signer.publicKey });
  expect(added).toMatchObject({ status: 201, body: { public_key_hex: signer.publicKey, active: true } });
  return signer;
}

/** Uploads bytes and completes them with whatever `signature` there is. */
async function complete(aether: Harness, bytes: Uint8Array, signature?: string) {
  const request = { app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length };
  const presigned = await aether.send("POST", "/artifacts/presign", request);
  if (presigned.body.method === "PUT") await put(presigned.body, bytes);
  return aether.send("POST", "/artifacts/complete", { ...request, ...(signature === undefined ? {} : { signature }) });
}

withDatabases("signatures", (open) => {
  test("public keys are added, listed and revoked, each with an audit row", async () => {
    await using aether = await createHarness({ open });
    const { publicKey } = await appWithKey(aether);
    const path = "/apps/shop/public-keys";
    const again = await aether.send("POST", path, { public_key_hex: publicKey });
    expect(again).toMatchObject({ status: 201, body: { active: true } });
    expect((await aether.send("DELETE", `${path}/${publicKey}`)).status).toBe(204);
    expect((await aether.send("DELETE", `${path}/${publicKey}`)).status).toBe(204);
    const { body } = await aether.send("GET", path);
    expect(body).toMatchObject([{ public_key_hex: publicKey, active: false, revoked_at: expect.any(String) }]);
    const back = await aether.send("POST", path, { public_key_hex: publicKey });
    expect(back).toMatchObject({ status: 409, body: { code: "conflict" } });
    const audit = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.subjectType, "key"))
      .orderBy(auditEvents.id);
    expect(audit.map(({ action }) => action)).toEqual(["key.added", "key.revoked"]);
  });

  test.each([
    ["too short", "abcd"],
    ["upper case", "D75A980182B10AB7D54BFED3C964073A0EE172F3DAA62325AF021A68F707511A"],
    ["of small order", "00".repeat(32)],
    ["not canonical", `ed${"ff".repeat(30)}7f`],
    ["of mixed order", "131604d01865fbedf9f662d25311c68a197cf286f2683724873a147fed6ada35"],
  ])("a public key that is %s is refused at registration", async (_, public_key_hex) => {
    await using aether = await createHarness({ open });
    await aether.send("POST", "/apps", { name: "shop" });
    const answer = await aether.send("POST", "/apps/shop/public-keys", { public_key_hex });
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
  });

  test("unknown apps and keys are not_found", async () => {
    await using aether = await createHarness({ open });
    const { publicKey } = createSigner();
    expect((await aether.send("GET", "/apps/ghost/public-keys")).status).toBe(404);
    expect((await aether.send("POST", "/apps/ghost/public-keys", { public_key_hex: publicKey })).status).toBe(404);
    await aether.send("POST", "/apps", { name: "shop" });
    expect((await aether.send("DELETE", `/apps/shop/public-keys/${publicKey}`)).status).toBe(404);
  });

  test("`verified` says that an active key has signed, and no longer when the key is revoked (MVP-C4)", async () => {
    await using aether = await createHarness({ open });
    const signer = await appWithKey(aether);
    const bytes = someBytes("signed");
    const digest = digestOf(bytes);
    const signature = signer.sign(digest);
    const completed = await complete(aether, bytes, signature);
    expect(completed).toMatchObject({ status: 200, body: { verified: true, duplicate: false } });
    const shown = await aether.send("GET", `/artifacts/${digest}?app=shop`);
    expect(shown.body).toMatchObject({ verified: true, signature, signed_by: signer.publicKey });
    expect(shown.headers.get("x-aether-verified")).toBe("true");
    const download = await aether.send("GET", `/artifacts/${digest}/download?app=shop`);
    expect(download.status).toBe(307);
    expect(download.headers.get("x-aether-signature")).toBe(signature);

    await aether.send("DELETE", `/apps/shop/public-keys/${signer.publicKey}`);
    expect((await aether.send("HEAD", `/artifacts/${digest}`)).headers.get("x-aether-verified")).toBe("false");
    expect(await complete(aether, bytes)).toMatchObject({ status: 200, body: { verified: false, duplicate: true } });
    expect((await aether.send("GET", "/artifacts?app=shop")).body).toMatchObject([{ digest, verified: false }]);
  });

  test("a signature of another key, app or digest is refused, and nothing is stored as signed (B8)", async () => {
    await using aether = await createHarness({ open });
    const signer = await appWithKey(aether);
    const foreign = await appWithKey(aether, "other");
    const bytes = someBytes("wrongly signed");
    const digest = digestOf(bytes);
    const good = signer.sign(digest);
    const wrong = {
      "another key": createSigner().sign(digest),
      "another app's key": foreign.sign(digest),
      "another digest": signer.sign(digestOf(someBytes("else"))),
      "upper case": good.toUpperCase(),
      base64: Buffer.from(good, "hex").toString("base64"),
      empty: "",
    };
    for (const [what, signature] of Object.entries(wrong)) {
      const answer = await complete(aether, bytes, signature);
      expect([what, answer.status, answer.body.code]).toEqual([what, 400, "signature_invalid"]);
    }
    const [row] = await aether.control.db.select().from(artifacts).where(eq(artifacts.digest, digest));
    expect(row).toMatchObject({ status: "pending", signature: null, signedBy: null });
    expect(await complete(aether, bytes)).toMatchObject({ status: 200, body: { verified: false } });
    expect((await complete(aether, bytes, wrong["another key"])).body.code).toBe("signature_invalid");
    expect(await complete(aether, bytes, good)).toMatchObject({
      status: 200,
      body: { verified: true, duplicate: true },
    });
  });

  test("an app without keys accepts no signature, and says so", async () => {
    await using aether = await createHarness({ open });
    const bytes = someBytes("early");
    const answer = await complete(aether, bytes, createSigner().sign(digestOf(bytes)));
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining("no active public key") } });
  });

  test("multipart and the deprecated upload carry a signature as well", async () => {
    await using aether = await createHarness({ open });
    const signer = await appWithKey(aether);
    const one = someBytes("in one part");
    const request = { app_name: "shop", digest: digestOf(one), size_bytes: one.length };
    const { body: upload } = await aether.send("POST", "/artifacts/multipart/init", request);
    const part = { app_name: "shop", digest: request.digest, upload_id: upload.upload_id, part_number: 1 };
    const { body: signed } = await aether.send("POST", "/artifacts/multipart/presign-part", part);
    const sent = await put({ upload_url: signed.url, headers: signed.headers }, one);
    const parts = [{ part_number: 1, etag: sent.headers.get("etag") ?? "" }];
    const join = { ...request, upload_id: upload.upload_id, parts, signature: signer.sign(request.digest) };
    const joined = await aether.send("POST", "/artifacts/multipart/complete", join);
    expect(joined).toMatchObject({ status: 200, body: { verified: true } });

    const two = someBytes("through the server");
    const form = new FormData();
    form.set("app_name", "shop");
    form.set("artifact", new Blob([two.slice()]));
    const digest = digestOf(two);
    const legacy = (signature: string) =>
      fetch(`${aether.api}/artifacts`, {
        method: "POST",
        body: form,
        headers: { "x-aether-artifact-digest": digest, "x-aether-signature": signature },
      });
    expect((await legacy(signer.sign(request.digest))).status).toBe(400);
    expect(await (await legacy(signer.sign(digest))).json()).toMatchObject({ verified: true });
  });

  test("a deployment may bring the signature of an artifact that was stored without", async () => {
    await using aether = await createHarness({ open, settings: { requireSignature: true } });
    const signer = await appWithKey(aether);
    const { digest } = await aether.store("shop", someBytes("signed later"));
    const wrong = { app_name: "shop", digest, signature: createSigner().sign(digest) };
    expect((await aether.send("POST", "/deployments", wrong)).body.code).toBe("signature_invalid");
    const unsigned = await aether.send("POST", "/deployments", { app_name: "shop", digest });
    expect(unsigned).toMatchObject({ status: 403, body: { code: "signature_required" } });
    const signature = signer.sign(digest);
    const created = await aether.send("POST", "/deployments", { app_name: "shop", digest, signature });
    expect(created.status).toBe(201);
    expect((await aether.send("GET", `/deployments/${created.body.id}`)).body.signature).toBe(signature);
    expect((await aether.send("GET", `/artifacts/${digest}`)).body).toMatchObject({ verified: true });
    await aether.rollouts.settle();
    expect(aether.runtime.applied).toMatchObject([{ digest, publicKeys: [signer.publicKey] }]);
  });

  test("AETHER_REQUIRE_SIGNATURE refuses the unsigned and the revoked, at deployment and at the pod's download", async () => {
    const tokens = [apiToken("admin-token", "admin")];
    await using aether = await createHarness({ open, settings: { requireSignature: true }, tokens });
    const admin = { authorization: "Bearer admin-token" };
    const agent = { authorization: `Bearer ${agentToken}` };
    const signer = createSigner();
    await aether.send("POST", "/apps", { name: "shop" }, admin);
    await aether.send("POST", "/apps/shop/public-keys", { public_key_hex: signer.publicKey }, admin);
    const bytes = someBytes("gate");
    const digest = digestOf(bytes);
    const request = { app_name: "shop", digest, size_bytes: bytes.length };
    await put((await aether.send("POST", "/artifacts/presign", request, admin)).body, bytes);
    await aether.send("POST", "/artifacts/complete", request, admin);
    const download = () => aether.send("GET", `/artifacts/${digest}/download?app=shop`, undefined, agent);
    const deploy = () => aether.send("POST", "/deployments", { app_name: "shop", digest }, admin);
    for (const answer of [await download(), await deploy()]) {
      expect(answer).toMatchObject({
        status: 403,
        body: { code: "signature_required", message: expect.stringContaining("is not signed") },
      });
    }
    await aether.send("POST", "/artifacts/complete", { ...request, signature: signer.sign(digest) }, admin);
    expect((await download()).status).toBe(307);
    expect((await deploy()).status).toBe(201);

    await aether.send("DELETE", `/apps/shop/public-keys/${signer.publicKey}`, undefined, admin);
    for (const answer of [await download(), await deploy()]) {
      expect(answer).toMatchObject({
        status: 403,
        body: {
          code: "signature_required",
          message: expect.stringContaining(`${signer.publicKey}, which has been revoked`),
        },
      });
    }
  });

  test("keys are rotated: a second one signs again, the first is revoked, and the runtime is told", async () => {
    await using aether = await createHarness({ open, settings: { requireSignature: true } });
    const old = await appWithKey(aether);
    const bytes = someBytes("rotated");
    const digest = digestOf(bytes);
    await complete(aether, bytes, old.sign(digest));
    await aether.send("POST", "/deployments", { app_name: "shop", digest });
    await aether.rollouts.settle();
    const next = createSigner();
    await aether.send("POST", "/apps/shop/public-keys", { public_key_hex: next.publicKey });
    await complete(aether, bytes, next.sign(digest));
    await aether.send("DELETE", `/apps/shop/public-keys/${old.publicKey}`);
    expect((await aether.send("GET", `/artifacts/${digest}`)).body).toMatchObject({
      verified: true,
      signed_by: next.publicKey,
    });
    await aether.rollouts.reconcile();
    await aether.rollouts.reconcile();
    expect(aether.runtime.applied.map(({ publicKeys }) => publicKeys)).toEqual([[old.publicKey], [next.publicKey]]);
  });

  test("the runtime is told of each app its own keys", async () => {
    await using aether = await createHarness({ open });
    const ids = await Promise.all(
      ["shop", "other", "keyless"].map(async (name) => {
        await aether.send("POST", "/apps", { name });
        return (await getApp(aether.control.db, name)).id;
      }),
    );
    const [shop = "", other = ""] = ids;
    const [one, two, three] = [createSigner().publicKey, createSigner().publicKey, createSigner().publicKey];
    for (const key of [one, two]) await addKey(aether.control, "shop", key, { name: "test" });
    for (const key of [one, three]) await addKey(aether.control, "other", key, { name: "test" });
    await revokeKey(aether.control, "other", one, { name: "test" });
    const found = await activeKeysOf(aether.control.db, ids);
    expect(Object.fromEntries(found)).toEqual({ [shop]: [one, two].sort(), [other]: [three] });
    expect((await activeKeysOf(aether.control.db, [])).size).toBe(0);
  });

  test.each(["sbom", "manifest", "provenance"])(
    "/artifacts/{digest}/%s is not there yet, and says so in the envelope",
    async (route) => {
      await using aether = await createHarness({ open });
      const { digest } = await aether.store("shop", someBytes(route));
      for (const method of ["GET", "POST"]) {
        const body = method === "POST" ? {} : undefined;
        const answer = await aether.send(method, `/artifacts/${digest}/${route}`, body);
        expect(answer).toMatchObject({ status: 404, body: { code: "not_found", request_id: expect.any(String) } });
      }
    },
  );
});
