import { expect, test } from "bun:test";
import { digestOf, put, someBytes } from "../harness/control-plane.ts";
import { withDatabases } from "../harness/database.ts";
import { createSigner } from "../harness/signing.ts";
import { adminToken, bearer, createGuardedHarness, type GuardedHarness } from "../harness/tokens.ts";

const unknownDigest = digestOf(someBytes("nobody has these"));
const unknownId = "00000000-0000-4000-8000-000000000000";

/** The app `shop` with an artifact, an upload in parts and a deployment; and a deployer of `other`, to whom it is foreign. */
async function twoApps(aether: GuardedHarness) {
  const admin = bearer(adminToken);
  const { digest } = await aether.store("shop", someBytes("shop's"), admin);
  const own = await aether.store("other", someBytes("other's"), admin);
  const parts = { app_name: "shop", digest: digestOf(someBytes("parts")), size_bytes: 5 };
  const upload = await aether.send("POST", "/artifacts/multipart/init", parts, admin);
  const ownParts = { app_name: "other", digest: digestOf(someBytes("own parts")), size_bytes: 5 };
  await aether.send("POST", "/artifacts/multipart/init", ownParts, admin);
  const deployment = await aether.send("POST", "/deployments", { app_name: "shop", digest }, admin);
  const hook = { url: "https://hooks.example.com/", secret: "0123456789abcdef", events: ["*"], app: "shop" };
  const webhook = await aether.send("POST", "/webhooks", hook, admin);
  const { token } = await aether.makeToken({ role: "deployer", apps: ["other"] });
  const ids = {
    digest,
    pending: parts.digest,
    uploadId: upload.body.upload_id,
    deployment: deployment.body.id,
    webhook: webhook.body.id,
  };
  return { ...ids, ownDigest: own.digest, ownParts, token };
}

type Named = Record<"app" | "digest" | "pending" | "uploadId" | "deployment" | "webhook", string>;
type Request = [method: string, path: string, body?: unknown];

const { publicKey } = createSigner();
const part = [{ part_number: 1, etag: "x" }];

/** A request about what is foreign, and the same about what there is not: `[method, path, body]`, by what is named. */
function pairs({ digest, pending, uploadId, deployment, webhook, ownParts }: Awaited<ReturnType<typeof twoApps>>) {
  const foreign: Named = { app: "shop", digest, pending, uploadId, deployment, webhook };
  const unknown: Named = {
    app: "ghost",
    digest: unknownDigest,
    pending: unknownDigest,
    uploadId: unknownId,
    deployment: "00000000-0000-4000-8000-000000000001",
    webhook: "00000000-0000-4000-8000-000000000002",
  };
  const requests: ((named: Named) => Request)[] = [
    (it) => ["GET", `/apps/${it.app}`],
    (it) => ["PATCH", `/apps/${it.app}`, { max_artifacts: 1 }],
    (it) => ["DELETE", `/apps/${it.app}`],
    (it) => ["GET", `/apps/${it.app}/releases`],
    (it) => ["GET", `/apps/${it.app}/public-keys`],
    (it) => ["POST", `/apps/${it.app}/public-keys`, { public_key_hex: publicKey }],
    (it) => ["DELETE", `/apps/${it.app}/public-keys/${publicKey}`],
    (it) => ["GET", `/apps/${it.app}/deployments`],
    (it) => ["GET", `/apps/${it.app}/logs`],
    (it) => ["POST", "/apps", { name: it.app }],
    (it) => ["GET", `/artifacts/${it.digest}`],
    (it) => ["GET", `/artifacts/${it.digest}/meta`],
    (it) => ["GET", `/artifacts/${it.digest}/download`],
    (it) => ["GET", `/artifacts/${it.digest}/download?app=${it.app}`],
    (it) => ["GET", `/artifacts/${it.digest}/download?app=other`],
    (it) => ["GET", `/artifacts?app=${it.app}`],
    (it) => ["GET", `/deployments?app=${it.app}`],
    (it) => ["GET", `/deployments/${it.deployment}`],
    (it) => ["GET", `/audit?app=${it.app}`],
    (it) => ["GET", `/audit?subject=${it.deployment}`],
    (it) => ["GET", `/events?app=${it.app}`],
    (it) => ["GET", `/webhooks/${it.webhook}/deliveries`],
    (it) => ["DELETE", `/webhooks/${it.webhook}`],
    (it) => ["POST", "/webhooks", { url: "https://a.example/", secret: "0".repeat(16), events: ["*"], app: it.app }],
    (it) => ["GET", `/deployments/${it.deployment}/status`],
    (it) => ["POST", "/artifacts/presign", { app_name: it.app, digest: it.digest, size_bytes: 6 }],
    (it) => ["POST", "/artifacts/complete", { app_name: it.app, digest: it.digest, size_bytes: 6 }],
    (it) => ["POST", "/artifacts/complete", { app_name: "other", digest: it.digest, size_bytes: 6 }],
    (it) => ["POST", "/artifacts/multipart/init", { app_name: it.app, digest: it.pending, size_bytes: 5 }],
    (it) => [
      "POST",
      "/artifacts/multipart/presign-part",
      { app_name: "other", digest: it.pending, upload_id: it.uploadId, part_number: 1 },
    ],
    (it) => [
      "POST",
      "/artifacts/multipart/presign-part",
      { ...ownParts, upload_id: it.uploadId, part_number: 1, size_bytes: 5 },
    ],
    (it) => ["POST", "/artifacts/multipart/complete", { ...ownParts, upload_id: it.uploadId, parts: part }],
    (it) => ["DELETE", `/artifacts/${it.pending}/upload?app=${it.app}`],
    (it) => ["DELETE", `/artifacts/${it.pending}/upload?app=other`],
    (it) => ["POST", "/deployments", { app_name: it.app, digest: it.digest }],
    (it) => ["POST", "/deployments", { app_name: "other", digest: it.digest }],
    (it) => ["POST", "/deployments", { app_name: "other", artifact_url: `artifacts/shop/${it.digest}/app.tar.gz` }],
    (it) => ["POST", "/deployments", { app_name: "other", artifact_url: `/artifacts/${it.digest}/download` }],
  ];
  return requests.map((request) => ({ foreign, unknown, request }));
}

/** What a caller sees of an answer, with what it named itself left out. */
function toShown({ status, body, headers }: Awaited<ReturnType<GuardedHarness["send"]>>, named: Named) {
  if (!Array.isArray(body)) delete body.request_id;
  const text = Object.entries(named).reduce(
    (said, [what, name]) => said.replaceAll(name, `<${what}>`),
    JSON.stringify(body),
  );
  return { status, text, headers: [...headers.keys()].filter((name) => name !== "content-length").sort() };
}

withDatabases("foreign apps", (open) => {
  test("what is foreign answers exactly as what does not exist", async () => {
    await using aether = await createGuardedHarness({ open });
    const world = await twoApps(aether);
    for (const { foreign, unknown, request } of pairs(world)) {
      const ask = async (named: Named) => {
        const [method, path, body] = request(named);
        return toShown(await aether.as(world.token, method, path, body), named);
      };
      const answer = await ask(foreign);
      expect(answer).toEqual(await ask(unknown));
      const refused = request(foreign)[0] === "PATCH" ? 403 : 404; // for admins: the role is looked at first
      expect(answer).toMatchObject(answer.status === 200 ? { text: "[]" } : { status: refused });
    }
  });

  test("a digest that another app holds is uploaded again: nobody learns that it is there", async () => {
    await using aether = await createGuardedHarness({ open });
    const { digest, token } = await twoApps(aether);
    const request = { app_name: "other", digest, size_bytes: 6 };
    const presigned = await aether.as(token, "POST", "/artifacts/presign", request);
    expect(presigned).toMatchObject({ status: 200, body: { method: "PUT" } });
    expect((await aether.as(token, "POST", "/artifacts/complete", request)).status).toBe(404);
    expect((await put(presigned.body, someBytes("shop's"))).ok).toBe(true);
    expect(await aether.as(token, "POST", "/artifacts/complete", request)).toMatchObject({
      status: 200,
      body: { duplicate: false },
    });
    expect(await aether.as(token, "GET", `/artifacts/${digest}`)).toMatchObject({
      status: 200,
      body: { app: "other" },
    });
  });

  test("lists hold the token's apps only, and pages are counted after that", async () => {
    await using aether = await createGuardedHarness({ open });
    const { ownDigest, token } = await twoApps(aether);
    await aether.store("shop", someBytes("more of shop's"), bearer(adminToken));
    const names = async (path: string) =>
      (await aether.as(token, "GET", path)).body.map(({ app, name }: { app?: string; name?: string }) => app ?? name);
    expect(await names("/apps?limit=1")).toEqual(["other"]);
    expect(await names("/apps?limit=1&offset=1")).toEqual([]);
    expect(await names("/artifacts?limit=1")).toEqual(["other"]);
    expect(await names("/artifacts?app=other")).toEqual(["other"]);
    expect(await names("/deployments")).toEqual([]);
    await aether.as(token, "POST", "/deployments", { app_name: "other", digest: ownDigest });
    expect(await names("/deployments?limit=1")).toEqual(["other"]);
    expect((await aether.as(adminToken, "GET", "/apps")).body).toHaveLength(2);
  });

  test("a deployer creates the apps that its token names by its first upload, and no others", async () => {
    await using aether = await createGuardedHarness({ open });
    const scoped = await aether.makeToken({ role: "deployer", apps: ["shop"] });
    const unscoped = await aether.makeToken({ role: "deployer" });
    const presign = (token: string, app_name: string) =>
      aether.as(token, "POST", "/artifacts/presign", { app_name, digest: unknownDigest, size_bytes: 1 });
    expect((await presign(scoped.token, "shop")).status).toBe(200);
    expect((await presign(scoped.token, "blog")).status).toBe(404);
    expect((await aether.as(adminToken, "GET", "/apps/blog")).status).toBe(404);
    expect((await presign(unscoped.token, "blog")).status).toBe(200);
  });
});
