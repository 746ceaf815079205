import { expect, test } from "bun:test";
import { createClient } from "../../src/cli/client.ts";
import { failureOf } from "../harness/failure-of.ts";

const signal = new AbortController().signal;

test("a server that accepts and never answers is asked twice and then given up", async () => {
  let requests = 0;
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open: () => void requests++, data() {} } });
  try {
    const server = `http://127.0.0.1:${silent.port}`;
    const client = createClient({ server, signal, timeouts: { answerMs: 50, completeMs: 50 } });
    const error = await failureOf(client.apps());
    expect(error).toMatchObject({
      code: "unreachable",
      exitCode: 40,
      message: `The server ${server} did not answer in time.`,
    });
    expect(requests).toBe(2);
  } finally {
    silent.stop(true);
  }
});

test("an answer that begins and never ends is given up as well", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[";
  const stuck = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.write(head) } });
  try {
    const client = createClient({
      server: `http://127.0.0.1:${stuck.port}`,
      signal,
      timeouts: { answerMs: 50, completeMs: 50 },
    });
    expect(await failureOf(client.apps())).toMatchObject({ code: "unreachable", exitCode: 40 });
  } finally {
    stuck.stop(true);
  }
});
