import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createWebhookSender, type SenderOptions, signatureOf } from "../../src/control/webhook-sender.ts";
import { startReceiver } from "../harness/receiver.ts";

const tls = (name: string) => readFileSync(join(import.meta.dir, "../fixtures/tls", name), "utf8");
const ca = tls("authority.pem");
const certificate = { cert: tls("receiver.pem"), key: tls("receiver.key") };
const never = new AbortController().signal;

/** Sends one event to `url` and tells what came of it. */
function send(url: string, options: SenderOptions) {
  const sending = { url, secret: "s".repeat(16), deliveryId: "d-1", event: "app.created", body: '{"id":1}' };
  return createWebhookSender(options)(sending, never);
}

/** A resolver that answers these, one a call, and is counted. */
function resolving(...answers: string[][]) {
  const asked: string[] = [];
  const lookup = async (host: string) => {
    const found = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  return { asked, lookup };
}

test("a name that is rebound after the check gains nothing: the address that was checked is connected to", async () => {
  // The system would say 127.0.0.1 for localhost, where another one listens on the same port.
  await using checked = startReceiver({ hostname: "127.0.0.2" });
  const port = Number(new URL(checked.url).port);
  await using other = startReceiver({ hostname: "127.0.0.1", port });
  const { asked, lookup } = resolving(["127.0.0.2"], ["127.0.0.1"]);
  const outcome = await send(`http://localhost:${port}/hook?a=b`, { allowPrivate: true, lookup });
  expect(outcome).toEqual({ status: 200, error: null });
  expect(asked).toEqual(["localhost"]);
  expect(checked.received.map(({ headers }) => headers.get("host"))).toEqual([`localhost:${port}`]);
  expect(other.received).toEqual([]);
});

test.each([
  ["a private one", ["10.0.0.7"], false],
  ["this machine", ["127.0.0.1"], false],
  ["this machine beside a public one", ["93.184.215.14", "127.0.0.1"], false],
  ["this machine, mapped", ["::ffff:127.0.0.1"], false],
  ["a metadata service", ["169.254.169.254"], true],
  ["a metadata service beside a private one", ["127.0.0.1", "169.254.169.254"], true],
  ["a metadata service, through NAT64", ["64:ff9b::a9fe:a9fe"], true],
  ["no host", ["0.0.0.0"], true],
])("a name that leads to %s is refused", async (_, addresses, allowPrivate) => {
  await using inside = startReceiver();
  const url = `http://evil.test:${new URL(inside.url).port}/`;
  const outcome = await send(url, { allowPrivate, lookup: resolving(addresses).lookup });
  expect(outcome).toMatchObject({ status: null, error: expect.stringContaining("refused") });
  expect(inside.received).toEqual([]);
});

test("an address that became forbidden after the webhook was made is refused as well", async () => {
  await using inside = startReceiver();
  expect(await send(inside.url, { allowPrivate: false })).toMatchObject({ error: expect.stringContaining("private") });
  expect(inside.received).toEqual([]);
});

test("over TLS the certificate must be that of the name, though the address is connected to", async () => {
  await using receiver = startReceiver({ hostname: "127.0.0.2", tls: certificate });
  const { port } = new URL(receiver.url);
  const { lookup } = resolving(["127.0.0.2"]);
  const options = { allowPrivate: true, lookup, ca };
  expect(await send(`https://hooks.test:${port}/`, options)).toEqual({ status: 200, error: null });
  expect((await send(`https://evil.test:${port}/`, options)).error).toContain("ALTNAME");
  expect((await send(`https://hooks.test:${port}/`, { allowPrivate: true, lookup })).error).toContain("VERIFY");
  expect(receiver.received).toHaveLength(1);
});

test("a redirect is not followed", async () => {
  await using inside = startReceiver();
  await using receiver = startReceiver({ answer: () => Response.redirect(inside.url, 307) });
  expect((await send(receiver.url, { allowPrivate: true })).error).toContain("redirects are not followed");
  expect(inside.received).toEqual([]);
});

test("a receiver that does not answer, or is not there, is a failed attempt", async () => {
  await using silent = startReceiver({ answer: () => new Promise<Response>(() => {}) });
  expect(await send(silent.url, { allowPrivate: true, timeoutMs: 100 })).toEqual({
    status: null,
    error: "no answer within 0.1 s",
  });
  const gone = startReceiver();
  await gone[Symbol.asyncDispose]();
  expect(await send(gone.url, { allowPrivate: true })).toEqual({ status: null, error: "ECONNREFUSED" });
  const unknown = { allowPrivate: true, lookup: () => Promise.reject(new Error("no such name")) };
  expect(await send("http://nowhere.test/", unknown)).toEqual({ status: null, error: "no such name" });
});

test("a receiver that answers without end is not listened to", async () => {
  const endless = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }));
  await using receiver = startReceiver({ answer: endless });
  expect(await send(receiver.url, { allowPrivate: true })).toEqual({ status: 200, error: null });
});

test("the signature is that of the documentation", () => {
  expect(signatureOf('{"id":1}', "0123456789abcdef", new Date("2026-01-01T00:00:00.900Z"))).toBe(
    "t=1767225600,v1=96bc78ebf60f981dd9cb5ee972dbe168dc7bab4cd951d9a644ec33f9a6ad4510",
  );
});
