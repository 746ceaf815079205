import { digestOf, put, someBytes } from "./control-plane.ts";
import { reportOf } from "./pod-tokens.ts";
import { createSigner } from "./signing.ts";
import { adminToken, bearer, type GuardedHarness } from "./tokens.ts";

/**
 * Who may: `open` everyone, without a token · `any` every token · `list` every token, each of its own apps · `allApps`
 * tokens that are for all apps · `reads` who may read the app `shop` · `writes` who may change it · `admin` admins ·
 * `hidden` admins, and to all others it is not there · `hiddenWrites` the same, where readers may not ask at all · `pods` a pod
 * of the app, and no person.
 */
export type Rule =
  | "open"
  | "any"
  | "list"
  | "allApps"
  | "reads"
  | "writes"
  | "admin"
  | "hidden"
  | "hiddenWrites"
  | "pods";

/** A request about the app `shop` that succeeds for who may. */
export interface Sample {
  path: string;
  body?: unknown;
  form?: FormData;
  headers?: Record<string, string>;
  /** It is asked for as a WebSocket. */
  isSocket?: boolean;
}

interface Entry {
  rule: Rule;
  sample: (aether: GuardedHarness) => Sample | Promise<Sample>;
}

const entry = (rule: Rule, sample: Entry["sample"] | string): Entry => ({
  rule,
  sample: typeof sample === "string" ? () => ({ path: sample }) : sample,
});

/** A request about the app itself, which an earlier one may have removed. */
function ofShop(path: string, body?: unknown) {
  return async (aether: GuardedHarness): Promise<Sample> => {
    await aether.as(adminToken, "POST", "/apps", { name: "shop" });
    await aether.as(adminToken, "DELETE", "/apps/shop/lock");
    return { path: `/apps/shop${path}`, ...(body === undefined ? {} : { body }) };
  };
}

/** A WebSocket to a replica of the app. */
function socketOfReplica(path: string) {
  return async (aether: GuardedHarness): Promise<Sample> => {
    const sample = await ofShop(path)(aether);
    aether.runtime.succeed("shop", (await deployed(aether)).id);
    return { ...sample, isSocket: true };
  };
}

/** Every operation of the API. A new route needs its line here: who may use it, and a request that works. */
export const permissionTable: Record<string, Entry> = {
  "health.live": entry("open", "/health"),
  "health.ready": entry("open", "/readyz"),
  "health.started": entry("open", "/startupz"),
  "capabilities.show": entry("any", "/capabilities"),
  "metrics.show": entry("allApps", "/metrics"),

  "agent.report": entry("pods", () => ({ path: "/agent/reports", body: reportOf("shop") })),

  "apps.list": entry("list", "/apps"),
  // It exists already: who may create it is told so.
  "apps.create": entry("writes", () => ({ path: "/apps", body: { name: "shop" } })),
  "apps.show": entry("reads", ofShop("")),
  "apps.change": entry("admin", ofShop("", { max_artifacts: 1000 })),
  "apps.remove": entry("writes", ofShop("")),
  "apps.deployments": entry("reads", ofShop("/deployments")),
  "apps.releases": entry("reads", ofShop("/releases")),
  "apps.logs": entry("reads", ofShop("/logs")),
  "apps.logs.socket": entry("reads", async (aether) => ({ ...(await ofShop("/logs/ws")(aether)), isSocket: true })),
  "apps.exec": entry("writes", socketOfReplica("/exec/ws")),
  "apps.run": entry("writes", socketOfReplica("/run/ws")),
  "apps.forward": entry("writes", socketOfReplica("/port-forward/ws")),
  "apps.env": entry("reads", ofShop("/env")),
  "apps.env.change": entry("writes", ofShop("/env", { set: { COLOR: "red" } })),
  "apps.env.replace": entry("writes", ofShop("/env", { set: { COLOR: "red" } })),
  "apps.rollback": entry("writes", async (aether) => {
    const { version } = await deployed(aether);
    await deployed(aether);
    return { path: "/apps/shop/rollback", body: { version, force: true } };
  }),
  "apps.restart": entry("writes", async (aether) => {
    await deployed(aether);
    return { path: "/apps/shop/restart", body: {} };
  }),
  "apps.scale": entry("writes", ofShop("/scale", { replicas: 2 })),
  "apps.lock": entry("writes", ofShop("/lock", { reason: "a migration" })),
  "apps.unlock": entry("writes", ofShop("/lock")),

  "public-keys.list": entry("reads", ofShop("/public-keys")),
  "public-keys.add": entry("writes", ofShop("/public-keys", { public_key_hex: createSigner().publicKey })),
  "public-keys.revoke": entry("writes", async (aether) => {
    const { publicKey } = createSigner();
    await ofShop("")(aether);
    await asAdmin(aether, "/apps/shop/public-keys", { public_key_hex: publicKey });
    return { path: `/apps/shop/public-keys/${publicKey}` };
  }),

  "artifacts.list": entry("list", "/artifacts"),
  "artifacts.show": entry("reads", async (aether) => ({ path: `/artifacts/${await stored(aether)}` })),
  "artifacts.meta": entry("reads", async (aether) => ({ path: `/artifacts/${await stored(aether)}/meta` })),
  "artifacts.download": entry("reads", async (aether) => ({ path: `/artifacts/${await stored(aether)}/download` })),
  "artifacts.presign": entry("writes", () => ({ path: "/artifacts/presign", body: upload(fresh()) })),
  "artifacts.complete": entry("writes", async (aether) => {
    const bytes = fresh();
    const presigned = await asAdmin(aether, "/artifacts/presign", upload(bytes));
    await put(presigned, bytes);
    return { path: "/artifacts/complete", body: upload(bytes) };
  }),
  "artifacts.multipart.init": entry("writes", () => ({ path: "/artifacts/multipart/init", body: upload(fresh()) })),
  "artifacts.multipart.presignPart": entry("writes", async (aether) => {
    const body = upload(fresh());
    const { upload_id } = await asAdmin(aether, "/artifacts/multipart/init", body);
    return { path: "/artifacts/multipart/presign-part", body: { ...body, upload_id, part_number: 1 } };
  }),
  "artifacts.multipart.complete": entry("writes", async (aether) => {
    const bytes = fresh();
    const body = upload(bytes);
    const { upload_id } = await asAdmin(aether, "/artifacts/multipart/init", body);
    const part = await asAdmin(aether, "/artifacts/multipart/presign-part", { ...body, upload_id, part_number: 1 });
    const sent = await put({ upload_url: part.url, headers: part.headers }, bytes);
    const parts = [{ part_number: 1, etag: sent.headers.get("etag") ?? "" }];
    return { path: "/artifacts/multipart/complete", body: { ...body, upload_id, parts } };
  }),
  "artifacts.abandon": entry("writes", async (aether) => {
    const body = upload(fresh());
    await asAdmin(aether, "/artifacts/presign", body);
    return { path: `/artifacts/${body.digest}/upload?app=shop` };
  }),
  "artifacts.legacyUpload": entry("writes", () => {
    const bytes = fresh();
    const form = new FormData();
    form.set("app_name", "shop");
    form.set("artifact", new Blob([bytes.slice()]));
    return { path: "/artifacts", form, headers: { "x-aether-artifact-digest": digestOf(bytes) } };
  }),

  "deployments.list": entry("list", "/deployments"),
  "deployments.create": entry("writes", async (aether) => ({
    path: "/deployments",
    body: { app_name: "shop", digest: await stored(aether) },
  })),
  "deployments.show": entry("reads", async (aether) => ({ path: `/deployments/${(await deployed(aether)).id}` })),
  "deployments.status": entry("reads", async (aether) => ({
    path: `/deployments/${(await deployed(aether)).id}/status`,
  })),

  "events.listen": entry("list", "/events"),
  "audit.list": entry("list", "/audit"),
  "webhooks.list": entry("list", "/webhooks"),
  "webhooks.create": entry("writes", () => ({ path: "/webhooks", body: webhook })),
  "webhooks.remove": entry("writes", async (aether) => ({
    path: `/webhooks/${await onlyWebhook(aether, webhook)}`,
  })),
  "webhooks.deliveries": entry("reads", async (aether) => ({
    path: `/webhooks/${await onlyWebhook(aether, webhook)}/deliveries`,
  })),

  "tokens.list": entry("admin", "/tokens"),
  "tokens.create": entry("admin", () => ({ path: "/tokens", body: { name: "new", role: "reader" } })),
  "tokens.revoke": entry("admin", async (aether) => ({
    path: `/tokens/${(await aether.makeToken({ role: "reader" })).id}`,
  })),
  "tokens.rotate": entry("admin", async (aether) => ({
    path: `/tokens/${(await aether.makeToken({ role: "reader" })).id}/rotate`,
    body: {},
  })),
};

/** Operations that answer otherwise about what is for all apps. */
export const permissionsForAllApps: Record<string, Entry> = {
  "webhooks.create": entry("admin", () => ({ path: "/webhooks", body: webhookForAll })),
  "webhooks.remove": entry("hiddenWrites", async (aether) => ({
    path: `/webhooks/${await onlyWebhook(aether, webhookForAll)}`,
  })),
  "webhooks.deliveries": entry("hidden", async (aether) => ({
    path: `/webhooks/${await onlyWebhook(aether, webhookForAll)}/deliveries`,
  })),
};

const webhook = { url: "https://hooks.example.com/", secret: "0123456789abcdef", events: ["*"], app: "shop" };
const { app: _, ...webhookForAll } = webhook;

let made = 0;
const fresh = (): Uint8Array => someBytes(`bytes ${++made}`);
const upload = (bytes: Uint8Array) => ({ app_name: "shop", digest: digestOf(bytes), size_bytes: bytes.length });

async function stored(aether: GuardedHarness): Promise<string> {
  const { digest } = await aether.store("shop", fresh(), bearer(adminToken));
  await aether.as(adminToken, "DELETE", "/apps/shop/lock");
  return digest;
}

async function deployed(aether: GuardedHarness): Promise<{ id: string; version: number }> {
  return asAdmin(aether, "/deployments", { app_name: "shop", digest: await stored(aether) });
}

/** The id of a new webhook; those of earlier callers go, for an app may have few. */
async function onlyWebhook(aether: GuardedHarness, wanted: object): Promise<string> {
  const { body: earlier } = await aether.as(adminToken, "GET", "/webhooks");
  for (const { id } of earlier) await aether.as(adminToken, "DELETE", `/webhooks/${id}`);
  return (await asAdmin(aether, "/webhooks", wanted)).id;
}

async function asAdmin(aether: GuardedHarness, path: string, body: unknown) {
  const answer = await aether.as(adminToken, "POST", path, body);
  if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}
