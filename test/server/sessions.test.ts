import { expect, test } from "bun:test";
import { controlFrame, dataFrame, parseFrame, type SessionFrame } from "../../src/core/session-frames.ts";
import { createHarness, digestOf, someBytes } from "../harness/control-plane.ts";
import { adminToken, bearer, createGuardedHarness, type GuardedHarness } from "../harness/tokens.ts";
import { waitFor } from "../harness/wait-for.ts";

const utf8 = { encode: (text: string) => new TextEncoder().encode(text), decode: new TextDecoder() };

/** A session as a client sees it. */
async function openSession(url: string, token: string) {
  const socket = new WebSocket(url.replace(/^http/, "ws"), [`aether.bearer.${token}`]);
  socket.binaryType = "arraybuffer";
  const frames: SessionFrame[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  socket.onmessage = ({ data }) => void frames.push(parseFrame(new Uint8Array(data)));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return {
    socket,
    closed,
    told: () => frames.flatMap((frame) => (frame.channel === "control" ? [frame.message] : [])),
    printed: () => frames.map((frame) => (frame.channel === "stdout" ? utf8.decode.decode(frame.data) : "")).join(""),
    [Symbol.asyncDispose]: async () => socket.close(),
  };
}

/** The app shop, with a release that serves. */
async function deployShop(aether: GuardedHarness): Promise<void> {
  const bytes = someBytes("shop");
  await aether.store("shop", bytes, bearer(adminToken));
  const { body } = await aether.as(adminToken, "POST", "/deployments", { app_name: "shop", digest: digestOf(bytes) });
  await waitFor("the release at the runtime", () => aether.runtime.applied.length > 0);
  aether.runtime.succeed("shop", body.id);
}

test("a command gets what is sent, what it prints comes back, and its end is told last", async () => {
  await using aether = await createGuardedHarness();
  await deployShop(aether);
  await using session = await openSession(`${aether.api}/apps/shop/exec/ws`, adminToken);
  session.socket.send(controlFrame({ type: "start", command: ["psql", "--password=secret-word"] }));
  session.socket.send(dataFrame("stdin", utf8.encode("hello")));
  session.socket.send(controlFrame({ type: "eof", channel: "stdin" }));
  expect(await session.closed).toEqual({ code: 1000, reason: "" });
  expect(session.printed()).toBe("psql --password=secret-word\nhello");
  expect(session.told()[0]).toEqual({ type: "started", replica: "shop-v1-0" });
  expect(session.told().at(-1)).toEqual({ type: "exit", code: 7 });
  expect(aether.runtime.commands).toEqual([["psql", "--password=secret-word"]]);

  const { body: audit } = await aether.as(adminToken, "GET", "/audit?app=shop");
  const told = audit.filter(({ action }: { action: string }) => action.startsWith("app.exec"));
  expect(told).toMatchObject([
    { action: "app.exec_ended", detail: { program: "psql", replica: "shop-v1-0", exit_code: 7 } },
    { action: "app.exec", detail: { program: "psql", replica: "shop-v1-0" } },
  ]);
  expect(JSON.stringify(audit) + aether.lines.join("\n")).not.toContain("secret-word");
});

test("a session ends when its token is revoked, and the audit says that it was given up", async () => {
  await using aether = await createGuardedHarness();
  await deployShop(aether);
  const { id, token } = await aether.makeToken({ role: "deployer", apps: ["shop"] });
  await using session = await openSession(`${aether.api}/apps/shop/run/ws`, token);
  session.socket.send(controlFrame({ type: "start", command: ["cat"] }));
  await waitFor("the command", () => session.printed() === "cat\n");
  await aether.as(adminToken, "DELETE", `/tokens/${id}`);
  expect(await session.closed).toEqual({ code: 1008, reason: "the token no longer works" });
  const ended = async () => (await aether.as(adminToken, "GET", "/audit?action=app.run_ended")).body;
  await waitFor("its end in the audit", async () => (await ended()).length === 1);
  expect(await ended()).toMatchObject([{ detail: { program: "cat", failure: "given up" } }]);
}, 15_000);

test.each([
  ["nothing of ours", "hello"],
  ["another's message", controlFrame({ type: "exit", code: 0 })],
  ["a command without a word", controlFrame({ type: "start", command: [] })],
])("who says %s is told so and let go", async (_what, frame) => {
  await using aether = await createGuardedHarness();
  await deployShop(aether);
  await using session = await openSession(`${aether.api}/apps/shop/exec/ws`, adminToken);
  session.socket.send(frame);
  expect(await session.closed).toMatchObject({ code: 1000 });
  expect(session.told().at(-1)).toMatchObject({ type: "error", code: "bad_request" });
  expect(aether.runtime.commands).toEqual([]);
});

test("a connection carries bytes both ways until it has ended", async () => {
  await using aether = await createGuardedHarness();
  await deployShop(aether);
  await using session = await openSession(`${aether.api}/apps/shop/port-forward/ws?port=3000`, adminToken);
  session.socket.send(dataFrame("stdin", utf8.encode("ping")));
  await waitFor("the answer", () => session.printed() === "ping");
  session.socket.send(controlFrame({ type: "eof", channel: "stdin" }));
  expect(await session.closed).toMatchObject({ code: 1000 });
  const { body: audit } = await aether.as(adminToken, "GET", "/audit?action=app.port_forward");
  expect(audit).toMatchObject([{ detail: { replica: "shop-v1-0", port: 3000 } }]);
});

test("an app without a replica, and one that has none of that name, are told before anything is opened", async () => {
  await using aether = await createHarness();
  await aether.send("POST", "/apps", { name: "empty" });
  expect(await aether.send("GET", "/apps/empty/exec/ws")).toMatchObject({
    status: 409,
    body: { message: "No replica of empty runs now.", hint: expect.stringContaining("aether run empty") },
  });
  expect(await aether.send("GET", "/apps/empty/exec/ws?replica=empty-v1-0")).toMatchObject({
    status: 404,
    body: { message: 'empty has no replica "empty-v1-0".' },
  });
  expect(await aether.send("GET", "/apps/ghost/run/ws")).toMatchObject({ status: 404 });
  expect(await aether.send("GET", "/apps/empty/port-forward/ws?port=70000")).toMatchObject({ status: 400 });
});
