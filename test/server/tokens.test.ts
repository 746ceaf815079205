import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { createTokenLookup } from "../../src/control/token-lookup.ts";
import { isAccessToken } from "../../src/core/access-token.ts";
import { auditEvents, idempotencyKeys, tokens } from "../../src/db/schema.ts";
import { withDatabases } from "../harness/database.ts";
import { adminToken, bearer, createGuardedHarness } from "../harness/tokens.ts";
import { waitFor } from "../harness/wait-for.ts";

const minuteMs = 60_000;

withDatabases("tokens", (open) => {
  test("a token is shown once, works, and only its hash is kept", async () => {
    await using aether = await createGuardedHarness({ open });
    const answer = await aether.as(adminToken, "POST", "/tokens", { name: "ci", role: "deployer", apps: ["shop"] });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { token, ...view } = answer.body;
    expect(token).toMatch(/^aether_[0-9a-f]{72}$/);
    expect(view).toMatchObject({ name: "ci", role: "deployer", apps: ["shop"], created_by: "admin-test" });
    expect(await aether.as(token, "GET", "/apps")).toMatchObject({ status: 200, body: [] });
    const listed = await aether.as(adminToken, "GET", "/tokens");
    expect(listed.body).toMatchObject([{ id: view.id, name: "ci", role: "deployer", apps: ["shop"] }]);
    const rows = JSON.stringify([
      await aether.control.db.select().from(tokens),
      await aether.control.db.select().from(auditEvents).orderBy(auditEvents.id),
      listed.body,
      aether.lines,
    ]);
    expect(rows).not.toContain(token.slice("aether_".length));
  });

  test("a revoked token is refused at once here, and within five seconds by another server", async () => {
    await using aether = await createGuardedHarness({ open });
    const { id, token } = await aether.makeToken({ role: "reader" });
    const elsewhere = createTokenLookup(aether.control);
    expect((await elsewhere.find(token))?.revokedAt).toBeNull();
    expect((await aether.as(token, "GET", "/apps")).status).toBe(200);
    expect(await aether.as(adminToken, "DELETE", `/tokens/${id}`)).toMatchObject({
      status: 200,
      body: { id, revoked_at: expect.any(String) },
    });
    const refused = await aether.as(token, "GET", "/apps");
    expect(refused).toMatchObject({ status: 401, body: { code: "unauthorized" } });
    expect(refused.body.message).toContain("revoked");
    aether.advance(4_999);
    expect((await elsewhere.find(token))?.revokedAt).not.toBeNull();
    expect((await aether.as(adminToken, "DELETE", `/tokens/${id}`)).status).toBe(200);
    const rows = await aether.control.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.subjectId, id))
      .orderBy(auditEvents.id);
    expect(rows.map(({ action, appId }) => [action, appId])).toEqual([
      ["token.created", null],
      ["token.revoked", null],
    ]);
  });

  test("a token ends when it expires, though it was used a moment before", async () => {
    await using aether = await createGuardedHarness({ open });
    const { token } = await aether.makeToken({ role: "reader", expires_in_secs: 60 });
    aether.advance(minuteMs - 1);
    expect((await aether.as(token, "GET", "/apps")).status).toBe(200);
    aether.advance(1);
    const refused = await aether.as(token, "GET", "/apps");
    expect(refused.status).toBe(401);
    expect(refused.body.message).toContain("expired");
  });

  test("a rotated token works beside its successor until the overlap is over", async () => {
    await using aether = await createGuardedHarness({ open });
    const old = await aether.makeToken({ role: "deployer", apps: ["shop"], name: "ci" });
    const { status, body } = await aether.as(adminToken, "POST", `/tokens/${old.id}/rotate`, { overlap_secs: 60 });
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: "ci", role: "deployer", apps: ["shop"], expires_at: null });
    expect(body.previous).toMatchObject({ id: old.id, expires_at: "2026-01-01T00:01:00.000Z" });
    expect(body.token).not.toBe(old.token);
    for (const token of [old.token, body.token]) expect((await aether.as(token, "GET", "/apps")).status).toBe(200);
    aether.advance(minuteMs);
    expect((await aether.as(old.token, "GET", "/apps")).status).toBe(401);
    expect((await aether.as(body.token, "GET", "/apps")).status).toBe(200);
    expect(await aether.as(adminToken, "POST", `/tokens/${old.id}/rotate`, {})).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
  });

  test("rotation keeps the length of a life, and never lengthens the old token's", async () => {
    await using aether = await createGuardedHarness({ open });
    const old = await aether.makeToken({ role: "reader", expires_in_secs: 100 });
    aether.advance(50_000);
    const { body } = await aether.as(adminToken, "POST", `/tokens/${old.id}/rotate`, { overlap_secs: 86_400 });
    expect(await aether.as(adminToken, "POST", `/tokens/${old.id}/rotate`, {})).toMatchObject({
      status: 409,
      body: { code: "conflict", message: "The token has a successor already." },
    });
    expect(body.previous.expires_at).toBe("2026-01-01T00:01:40.000Z");
    expect(body.expires_at).toBe("2026-01-01T00:02:30.000Z");
  });

  test("the last use is written, and at most once a minute", async () => {
    await using aether = await createGuardedHarness({ open });
    const { id, token } = await aether.makeToken({ role: "reader" });
    const lastUse = async () => (await aether.control.db.select().from(tokens).where(eq(tokens.id, id)))[0]?.lastUsedAt;
    await aether.as(token, "GET", "/apps");
    const first = await waitFor("the first use", lastUse);
    expect(first).toEqual(new Date("2026-01-01T00:00:00Z"));
    aether.advance(minuteMs - 1);
    await aether.as(token, "GET", "/apps");
    aether.advance(1);
    await aether.as(token, "GET", "/apps");
    expect(await lastUse()).toEqual(first); // a write would have been sent before these reads
    aether.advance(5_000);
    await aether.as(token, "GET", "/apps");
    expect(await waitFor("a later use", async () => ((await lastUse()) ?? first) > first)).toBe(true);
  });
});

test("a token is not kept for who repeats the request that made it", async () => {
  await using aether = await createGuardedHarness();
  const headers = { ...bearer(adminToken), "idempotency-key": "once" };
  const make = () => aether.send("POST", "/tokens", { name: "ci", role: "reader" }, headers);
  const [first, second] = [await make(), await make()];
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body.token).not.toBe(first.body.token);
  const kept = JSON.stringify(await aether.control.db.select().from(idempotencyKeys));
  expect(kept).not.toContain(first.body.token.slice("aether_".length));
});

test("a stream ends when the token that opened it is revoked, and one of the environment's goes on", async () => {
  await using aether = await createGuardedHarness();
  await aether.as(adminToken, "POST", "/apps", { name: "shop" });
  const { id, token } = await aether.makeToken({ role: "reader" });
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  aether.control.runtime.logs = async function* (_app, _query, signal) {
    yield { time: "2026-01-01T00:00:00Z", pod: "a", container: "app", stream: "stdout", line: "first" };
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve());
    await Promise.race([aborted, over]);
    const line = signal.aborted ? "cut" : "whole";
    yield { time: "2026-01-01T00:00:00Z", pod: "a", container: "app", stream: "stdout", line };
  };
  const follow = (secret: string) => fetch(`${aether.api}/apps/shop/logs?follow=1`, { headers: bearer(secret) });
  const [revoked, lasting] = [await follow(token), await follow(adminToken)];
  await aether.as(adminToken, "DELETE", `/tokens/${id}`);
  expect(await revoked.text()).toBe("first\ncut\n");
  end();
  expect(await lasting.text()).toBe("first\nwhole\n");
}, 15_000);

test.each([
  [{ name: "x" }, "role"],
  [{ name: "", role: "reader" }, "name"],
  [{ name: "a\u0007b", role: "reader" }, "name"],
  [{ name: "x", role: "king" }, "role"],
  [{ name: "x", role: "reader", apps: [] }, "no app"],
  [{ name: "x", role: "reader", apps: ["../x"] }, "../x"],
  [{ name: "x", role: "admin", apps: ["shop"] }, "all apps"],
  [{ name: "x", role: "reader", expires_in_secs: 0 }, "expires_in_secs"],
  [{ name: "x", role: "reader", expires_in_secs: 60, expires_at: "2027-01-01T00:00:00Z" }, "not both"],
  [{ name: "x", role: "reader", expires_at: "2025-01-01T00:00:00Z" }, "past"],
  [{ name: "x", role: "reader", expires_at: "tomorrow" }, "expires_at"],
])("a token of %j is refused", async (wanted, why) => {
  await using aether = await createGuardedHarness();
  const answer = await aether.as(adminToken, "POST", "/tokens", wanted);
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_request" } });
  expect(answer.body.message).toContain(why);
  expect((await aether.as(adminToken, "GET", "/tokens")).body).toEqual([]);
});

test.each(["ghost", "00000000-0000-4000-8000-000000000000"])("there is no token %s", async (id) => {
  await using aether = await createGuardedHarness();
  for (const [method, path] of [
    ["DELETE", `/tokens/${id}`],
    ["POST", `/tokens/${id}/rotate`],
  ] as const) {
    const body = method === "POST" ? {} : undefined;
    expect(await aether.as(adminToken, method, path, body)).toMatchObject({ status: 404, body: { code: "not_found" } });
  }
});

test("what has not a token's checksum is refused without asking the database", async () => {
  await using aether = await createGuardedHarness();
  const { token } = await aether.makeToken({ role: "reader" });
  const typo = `${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`;
  expect([isAccessToken(token), isAccessToken(typo), isAccessToken(`x${token}`)]).toEqual([true, false, false]);
  await aether.control.db.delete(tokens);
  const lookup = createTokenLookup({
    ...aether.control,
    get db(): never {
      throw new Error("the database was asked");
    },
  });
  expect(await lookup.find(typo)).toBeUndefined();
  await expect(lookup.find(token)).rejects.toThrow("the database was asked");
});

test("a database that is away is not taken for a wrong token, nor remembered", async () => {
  await using aether = await createGuardedHarness();
  const { token } = await aether.makeToken({ role: "reader" });
  const { db } = aether.control;
  let away = true;
  const lookup = createTokenLookup({
    ...aether.control,
    get db() {
      if (away) throw Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
      return db;
    },
  });
  await expect(lookup.find(token)).rejects.toThrow("refused");
  away = false;
  expect((await lookup.find(token))?.role).toBe("reader");
});
