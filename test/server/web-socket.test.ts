import { expect, test } from "bun:test";
import type { LogLine } from "../../src/core/log-line.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { createHarness } from "../harness/control-plane.ts";
import { openRequest } from "../harness/raw-http.ts";
import { adminToken, createGuardedHarness } from "../harness/tokens.ts";
import { waitFor } from "../harness/wait-for.ts";
import { openWebSocket, upgradeHeaders, upgradeStatus } from "../harness/web-socket.ts";

const lineOf = (line: string): LogLine => ({
  time: "2026-01-01T00:00:00.000Z",
  pod: "shop-v1-0",
  container: "app",
  stream: "stdout",
  line,
});

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("lines come a message each, as text or JSON, and the connection is closed as done", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  aether.runtime.lines.set("shop", [lineOf("one"), lineOf("two")]);
  await using text = await openWebSocket(`${aether.api}/apps/shop/logs/ws`);
  expect([await text.next(), await text.next(), await text.next()]).toEqual(["one", "two", undefined]);
  expect(await text.closed).toEqual({ code: 1000, reason: "" });
  await using json = await openWebSocket(`${aether.api}/apps/shop/logs/ws?format=ndjson`);
  expect(JSON.parse((await json.next()) ?? "")).toEqual(lineOf("one"));
});

test("the token comes as a subprotocol, which is answered, and never in a query", async () => {
  await using aether = await createGuardedHarness();
  await aether.as(adminToken, "POST", "/apps", { name: "shop" });
  const url = `${aether.api}/apps/shop/logs/ws`;
  await using alone = await openWebSocket(url, [`aether.bearer.${adminToken}`]);
  expect(alone.protocol).toBe(`aether.bearer.${adminToken}`);
  await using beside = await openWebSocket(url, ["aether.v1", `aether.bearer.${adminToken}`]);
  expect(beside.protocol).toBe("aether.v1");
  expect(await upgradeStatus(url, { authorization: `Bearer ${adminToken}` })).toBe(101);
  expect(await upgradeStatus(url, { "sec-websocket-protocol": "aether.bearer.another" })).toBe(401);
  expect(await upgradeStatus(`${url}?token=${adminToken}`)).toBe(401);
  // It is for WebSockets alone.
  const plain = await fetch(`${aether.api}/apps`, {
    headers: { "sec-websocket-protocol": `aether.bearer.${adminToken}` },
  });
  expect(plain.status).toBe(401);
  expect(aether.lines.join("\n")).not.toContain(adminToken);
});

test("what is no WebSocket, and an app that is not there, are refused before as any request", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  expect(await aether.send("GET", "/apps/shop/logs/ws")).toMatchObject({
    status: 400,
    body: { code: "bad_request", message: expect.stringContaining("WebSocket") },
  });
  expect(await upgradeStatus(`${aether.api}/apps/ghost/logs/ws`)).toBe(404);
  expect(await upgradeStatus(`${aether.api}/apps/shop/logs/ws?tail_lines=-1`)).toBe(400);
  expect(await upgradeStatus(`${aether.api}/apps/shop/logs/ws`, { origin: "http://evil.example" })).toBe(403);
  expect(await upgradeStatus(`${aether.api}/apps/shop/logs/ws`, { "sec-websocket-key": "short" })).toBe(400);
});

test("a connection ends when its token is revoked, when the server stops, and when it fails, and says which", async () => {
  await using aether = await createGuardedHarness();
  await aether.as(adminToken, "POST", "/apps", { name: "shop" });
  const { id, token } = await aether.makeToken({ role: "reader", apps: ["shop"] });
  aether.control.runtime.logs = async function* (_app, { tailLines }, signal) {
    if (tailLines === 7) throw new AetherError("service_unavailable", `The cluster is away${"!".repeat(200)}`);
    yield lineOf("first");
    await aborted(signal);
  };
  const url = `${aether.api}/apps/shop/logs/ws?follow=1`;
  await using revoked = await openWebSocket(url, [`aether.bearer.${token}`]);
  await using stopped = await openWebSocket(url, [`aether.bearer.${adminToken}`]);
  await using failed = await openWebSocket(`${url}&tail_lines=7`, [`aether.bearer.${adminToken}`]);
  expect([await revoked.next(), await stopped.next()]).toEqual(["first", "first"]);
  const reason = expect.stringContaining("service_unavailable: The cluster is away!");
  expect(await failed.closed).toEqual({ code: 1011, reason });
  await aether.as(adminToken, "DELETE", `/tokens/${id}`);
  expect(await revoked.closed).toEqual({ code: 1008, reason: "the token no longer works" });
  aether.stop();
  expect(await stopped.closed).toEqual({ code: 1001, reason: "the server stops" });
}, 15_000);

test("the source ends when its reader leaves", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  const ended = Promise.withResolvers<void>();
  aether.control.runtime.logs = async function* (_app, _query, signal) {
    yield lineOf("first");
    await aborted(signal);
    ended.resolve();
  };
  const socket = await openWebSocket(`${aether.api}/apps/shop/logs/ws?follow=1`);
  expect(await socket.next()).toBe("first");
  await socket[Symbol.asyncDispose]();
  await ended.promise;
});

test("a reader that does not read holds up its source, and nothing piles up", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  const line = lineOf("x".repeat(10_000));
  let taken = 0;
  aether.control.runtime.logs = async function* (_app, _query, signal) {
    for (; !signal.aborted; taken += 1) yield line;
  };
  const url = `${aether.api}/apps/shop/logs/ws?follow=1`;
  const socket = await openRequest({ url, method: "GET", headers: upgradeHeaders });
  socket.pause();
  let before = -1;
  await waitFor("the source to be held up", async () => {
    const now = taken;
    const isStill = now > 0 && now === before;
    before = now;
    await Bun.sleep(200);
    return isStill;
  });
  // What the kernel holds of both ends, and a little of ours.
  expect(taken * 10_000).toBeLessThan(32 * 1024 ** 2);
  const heldUp = taken;
  socket.resume();
  await waitFor("the source to go on", () => taken > heldUp + 100);
  socket.destroy();
});

test("who follows an app is told of its end, by both ways", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  aether.control.runtime.logs = async function* (_app, _query, signal) {
    yield lineOf("first");
    await aborted(signal);
  };
  await using socket = await openWebSocket(`${aether.api}/apps/shop/logs/ws?follow=1`);
  const chunked = await fetch(`${aether.api}/apps/shop/logs?follow=1`);
  expect(await socket.next()).toBe("first");
  await aether.send("DELETE", "/apps/shop");
  expect(await socket.closed).toEqual({ code: 1000, reason: "what it was about was removed" });
  expect(await chunked.text()).toBe("first\n");
}, 15_000);

test("a gap is a line of its own, and what cannot be read is refused by both ways", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "shop" });
  aether.runtime.lines.set("shop", [{ ...lineOf("lines are no longer kept"), gap: true }]);
  expect((await aether.send("GET", "/apps/shop/logs")).body).toBe("--- gap in shop-v1-0: lines are no longer kept\n");
  expect((await aether.send("GET", "/apps/shop/logs?format=ndjson")).body).toMatchObject({ gap: true });
  aether.control.runtime.checkLogs = (_app, { container, previous }) => {
    if (container === "sidecar" && previous) throw new AetherError("bad_request", "no such container");
  };
  for (const path of ["/apps/shop/logs", "/apps/shop/logs/ws"]) {
    expect(await upgradeStatus(`${aether.api}${path}?container=sidecar&previous=1`)).toBe(400);
    expect(await upgradeStatus(`${aether.api}${path}?container=../x`)).toBe(400);
  }
});
