import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import {
  claimKey,
  giveUpClaim,
  type KeptAnswer,
  type KeyClaim,
  type KeyedRequest,
  keepAnswer,
  renewClaim,
} from "../../control/idempotency.ts";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

/** What makes a deployment decides replay in the transaction that would insert; the bytes of `/artifacts` are named by their digest. */
const decideThemselves = /^\/(deployments|artifacts|apps\/[^/]+\/(rollback|restart))$/;
/** They depend on who asks and when, and nothing was done: asking again may be answered otherwise. */
const neverKept = new Set([401, 403, 408, 409, 429]);
const renewMs = 10_000;
const keyPattern = /^[\x21-\x7e]{1,255}$/;

/** A POST repeated under its `Idempotency-Key` gets the first answer again, and is carried out once (Stripe's rules). */
export function idempotency({ waitMs = 5_000 } = {}) {
  return createMiddleware<ServerEnv>(async function idempotency(c, next) {
    if (c.req.method !== "POST") return next();
    const key = headerKey(c);
    if (decideThemselves.test(c.req.path)) return next();
    const request = await keyedRequest(c, key);
    if (request === undefined) return next();
    const state = await claimOrWait(c, request, waitMs);
    if ("answer" in state) return replay(c, state.answer);
    await carryOut(c, state.claim, next);
  });
}

/** The key that the header gives; an empty one is none. */
export function headerKey(c: Context<ServerEnv>): string | undefined {
  const key = c.req.header("idempotency-key");
  return key === undefined || key === "" ? undefined : parseKey(key);
}

async function keyedRequest(c: Context<ServerEnv>, named: string | undefined): Promise<KeyedRequest | undefined> {
  const body = await c.req.text(); // Hono keeps it for the handler
  const json = parseObject(body);
  const given = named ?? json.idempotency_key;
  if (given === undefined || given === null) return undefined;
  const key = parseKey(given);
  const { pathname, search } = new URL(c.req.url);
  return { scope: scopeOf(c, json), key, route: `POST ${pathname}${search}`, bodyHash: sha256(body) };
}

function parseKey(key: unknown): string {
  if (typeof key === "string" && keyPattern.test(key)) return key;
  throw new AetherError("bad_request", "An idempotency key has 1 to 255 visible ASCII characters.");
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function scopeOf(c: Context<ServerEnv>, { app_name }: Record<string, unknown>): string {
  const { id } = c.var.caller;
  // Hashed, because nobody has looked at it yet.
  return id === "anonymous" && typeof app_name === "string" ? `anonymous ${sha256(JSON.stringify(app_name))}` : id;
}

async function claimOrWait(c: Context<ServerEnv>, request: KeyedRequest, waitMs: number) {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const state = await claimKey(c.var.control, request);
    if (state !== "under way") return state;
    if (performance.now() >= deadline || c.req.raw.signal.aborted || c.var.stopping.aborted) break;
    await sleep(50);
  }
  c.header("retry-after", "1");
  throw new AetherError("conflict", "A request with this idempotency key is under way.", {
    hint: "Ask again in a moment with the same key; the answer will be that request's.",
  });
}

function replay(c: Context<ServerEnv>, { status, body }: KeptAnswer): Response {
  c.header("idempotency-replayed", "true");
  if (body === "") return c.body(null, status as 204);
  return c.body(body, status as 200, { "content-type": "application/json" });
}

async function carryOut(c: Context<ServerEnv>, claim: KeyClaim, next: () => Promise<void>): Promise<void> {
  const { control } = c.var;
  const warn = (error: unknown) => control.log.error("an idempotency key could not be kept", { error });
  const renewing = setInterval(() => void renewClaim(control, claim).catch(warn), renewMs);
  try {
    await next();
    const { status } = c.res;
    // What is shown once, as a token is, would lie in the database for a day.
    const isSecret = c.res.headers.get("cache-control")?.includes("no-store") === true;
    if (status >= 500 || neverKept.has(status) || isSecret) await giveUpClaim(control, claim).catch(warn);
    else await keepAnswer(control, claim, { status, body: await c.res.clone().text() }).catch(warn);
  } finally {
    clearInterval(renewing);
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {}; // the route says what is wrong with it
  }
}
