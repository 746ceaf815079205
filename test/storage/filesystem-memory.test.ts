import { expect, test } from "bun:test";
import { join } from "node:path";
import type { RawRequest } from "../harness/raw-http.ts";
import { openRequest, send, statusOf } from "../harness/raw-http.ts";

// reliability.md L2: 32 uploads of 100 MB at once below 300 MB. The short form sends a fifth of that: still twice the cap.
const megabytes = process.env.AETHER_TEST_FULL === "1" ? 100 : 20;
const piece = new Uint8Array(1_000_000);

test(`32 uploads of ${megabytes} MB at once stay below 300 MB of memory`, async () => {
  const server = Bun.spawn(
    ["bun", join(import.meta.dir, "../harness/storage-process.ts"), "32", String(megabytes * piece.length)],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { requests }: { requests: RawRequest[] } = JSON.parse(await readLine(lines));
    const statuses = await Promise.all(requests.map((request) => upload(request)));
    expect(statuses).toEqual(requests.map(() => 200));
    server.stdin.write("\n");
    server.stdin.flush();
    const peak = Number(await readLine(lines)) / 1_000_000;
    expect(peak).toBeLessThan(300);
  } finally {
    server.stdin.end();
    await server.exited;
  }
}, 120_000);

async function upload(request: RawRequest): Promise<number | undefined> {
  const socket = await openRequest(request);
  for (let sent = 0; sent < megabytes; sent += 1) await send(socket, piece);
  return statusOf(socket);
}

async function readLine(reader: { read(): Promise<{ value?: string | undefined; done: boolean }> }): Promise<string> {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    if (done || text.endsWith("\n")) return text;
  }
}
