import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import {
  controlFrame,
  dataFrame,
  parseFrame,
  type SessionMessage,
  windowBytes,
} from "../../src/core/session-frames.ts";
import { createSessionStreams } from "../../src/core/session-streams.ts";

/** A client and a server, with nothing between them but what is under way. */
function createPair() {
  const told: SessionMessage[] = [];
  let underWay = 0;
  let most = 0;
  const client = createSessionStreams({
    sends: ["stdin"],
    receives: ["stdout", "stderr"],
    send: (frame) => deliver(() => server.receive(frame), frame),
    onMessage: (message) => void told.push(message),
  });
  const server = createSessionStreams({
    sends: ["stdout", "stderr"],
    receives: ["stdin"],
    send: (frame) => deliver(() => client.receive(frame), frame),
    onMessage: (message) => void told.push(message),
  });
  function deliver(give: () => void, frame: Uint8Array): void {
    underWay += frame.length;
    most = Math.max(most, underWay);
    void turn().then(() => {
      underWay -= frame.length;
      give();
    });
  }
  return { client, server, told, most: () => most };
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("ten megabytes arrive as they were, and never more than a window of them is under way", async () => {
  const { client, server, most } = createPair();
  const bytes = randomBytes(10 * 1024 * 1024);
  client.outgoing.stdin.end(bytes);
  const hash = createHash("sha256");
  for await (const chunk of server.incoming.stdin) hash.update(chunk);
  expect(hash.digest("hex")).toBe(hashOf(bytes));
  expect(most()).toBeLessThan(windowBytes + 64 * 1024);
});

test("who is not read sends a window and waits", async () => {
  const { client, server } = createPair();
  let taken = 0;
  const write = () => {
    while (server.outgoing.stdout.write(new Uint8Array(64 * 1024))) taken += 1;
  };
  server.outgoing.stdout.on("drain", write);
  write();
  for (let round = 0; round < 100; round += 1) await turn();
  expect(server.outgoing.stdout.writableNeedDrain).toBe(true);
  const before = taken;
  for (let round = 0; round < 100; round += 1) await turn();
  expect(taken).toBe(before);
  expect(taken).toBeLessThan(32);
  client.incoming.stdout.resume();
  for (let round = 0; round < 100; round += 1) await turn();
  expect(taken).toBeGreaterThan(before);
  server.outgoing.stdout.destroy();
});

test("channels are apart, and end apart", async () => {
  const { client, server, told } = createPair();
  server.outgoing.stderr.end("bad");
  server.outgoing.stdout.end("good");
  server.tell({ type: "exit", code: 7 });
  expect(await new Response(client.incoming.stdout as never).text()).toBe("good");
  expect(await new Response(client.incoming.stderr as never).text()).toBe("bad");
  expect(told).toEqual([{ type: "exit", code: 7 }]);
});

test("streams of a connection that is gone break", async () => {
  const { server } = createPair();
  const reading = Array.fromAsync(server.incoming.stdin).catch((error: Error) => error.message);
  server.end();
  expect(await reading).toContain("Premature close");
});

const encoded = (text: string) => new TextEncoder().encode(text);
const control = (value: unknown) => Uint8Array.from([3, ...encoded(JSON.stringify(value))]);

test.each([
  ["text", "hello"],
  ["nothing", new Uint8Array()],
  ["an unknown channel", Uint8Array.from([9, 1])],
  ["a frame too long", dataFrame("stdin", new Uint8Array(64 * 1024 + 1))],
  ["no JSON", Uint8Array.from([3, 1, 2])],
  ["JSON that is no object", control(null)],
  ["an unknown type", control({ type: "constructor" })],
  ["a command that is no list", control({ type: "start", command: "ls" })],
  ["a terminal without rows", control({ type: "start", command: ["ls"], terminal: { columns: 80 } })],
  ["an end of no channel", control({ type: "eof", channel: "control" })],
  ["an acknowledgement below nothing", control({ type: "ack", channel: "stdout", bytes: -1 })],
])("%s is refused", (_what, frame) => {
  expect(() => parseFrame(frame)).toThrow("malformed");
});

test("who sends more than a window, acknowledges what was never sent, or speaks on another's channel is refused", () => {
  const { server } = createPair();
  const full = dataFrame("stdin", new Uint8Array(64 * 1024));
  for (let count = 0; count < 16; count += 1) server.receive(full);
  expect(() => server.receive(full)).toThrow("may be under way");
  expect(() => server.receive(controlFrame({ type: "ack", channel: "stdout", bytes: 1 }))).toThrow("than was sent");
  expect(() => server.receive(dataFrame("stdout", encoded("x")))).toThrow('Nothing is sent on "stdout"');
});
