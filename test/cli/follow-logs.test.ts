import { expect, test } from "bun:test";
import { followLogs } from "../../src/cli/follow-logs.ts";
import type { LogLine } from "../../src/core/log-line.ts";
import { AetherError } from "../../src/lib/errors.ts";
import { failureOf } from "../harness/failure-of.ts";

/** Two lines of each millisecond, of two replicas. */
const all = Array.from(
  { length: 400 },
  (_, index): LogLine => ({
    time: new Date(Date.UTC(2026, 0, 1) + Math.floor(index / 4) * 10).toISOString(),
    pod: `shop-${index % 2}`,
    container: "app",
    line: `line ${index}`,
  }),
);

/** A server that breaks off after `pieces` lines, in the middle of the next; the last connection gives the rest. */
function serveBroken(pieces: number[], ending = () => new Response(null, { status: 404 })) {
  const asked: (string | null)[] = [];
  const left = [...pieces];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const since = new URL(request.url).searchParams.get("since");
      asked.push(since);
      const count = left.shift();
      if (count === undefined) return ending();
      const from = all.findIndex(({ time }) => time >= (since ?? ""));
      const text = all.slice(from, all.findIndex(({ line }) => line === `line ${count}`) + 1);
      const body = text.map((line) => `${JSON.stringify(line)}\n`).join("");
      return new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode(`${body}{"time":"20`));
            controller.close();
          },
        }),
      );
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, asked, [Symbol.asyncDispose]: () => server.stop(true) };
}

const opening = (url: string) => async (since: string | undefined) => {
  const response = await fetch(`${url}/${since === undefined ? "" : `?since=${since}`}`);
  if (response.ok) return response;
  throw new AetherError(response.status === 404 ? "not_found" : "service_unavailable", "away");
};

test("a stream that breaks again and again gives each line once", async () => {
  await using server = serveBroken([3, 57, 58, 201, 399]);
  const lines: string[] = [];
  let breaks = 0;
  const onBreak = () => {
    breaks += 1;
  };
  const followed = followLogs({
    open: opening(server.url),
    signal: new AbortController().signal,
    hasSince: false,
    onBreak,
  });
  const failure = await failureOf(
    (async () => {
      for await (const { line } of followed) lines.push(line);
    })(),
  );
  expect(failure.code).toBe("not_found"); // the app is gone: nothing to come back to
  expect(lines).toEqual(all.map(({ line }) => line));
  expect(breaks).toBe(5);
  expect(server.asked).toEqual([null, ...Array.from({ length: 5 }, () => all[0]?.time ?? "")]);
});

test("a server that stays away is waited for, and not for ever", async () => {
  await using server = serveBroken([10], () => new Response(null, { status: 503 }));
  const options = { signal: new AbortController().signal, hasSince: false, onBreak: () => {}, patienceMs: 300 };
  const failure = await failureOf(Array.fromAsync(followLogs({ open: opening(server.url), ...options })));
  expect(failure.code).toBe("service_unavailable");
  expect(server.asked.length).toBeGreaterThan(2);
});

test("what is refused at first is not asked again", async () => {
  await using server = serveBroken([], () => new Response(null, { status: 503 }));
  const options = { signal: new AbortController().signal, hasSince: false, onBreak: () => {} };
  await failureOf(Array.fromAsync(followLogs({ open: opening(server.url), ...options })));
  expect(server.asked).toEqual([null]);
});
