import { expect, test } from "bun:test";
import type { Change, Reflector } from "../../src/k8s/cluster.ts";
import { fixedSource, sourceCredentials } from "../../src/k8s/credentials.ts";
import type { ObjectOf } from "../../src/k8s/kinds.ts";
import { createReflector, type ReflectorPace } from "../../src/k8s/reflector.ts";
import { createTransport } from "../../src/k8s/transport.ts";
import { refusal } from "../harness/api-server.ts";
import { waitFor } from "../harness/wait-for.ts";
import { configMap, line, serveWatch, type WatchScript } from "../harness/watch-server.ts";

const quick: ReflectorPace = { listEveryMs: 1, firstDelayMs: 1, longestDelayMs: 5 };
const empty = { version: 10, items: [] };

function reflect(url: string, { pace = quick, silenceMs = 60_000 } = {}) {
  const credentials = sourceCredentials({ token: fixedSource("token") });
  const transport = createTransport({ server: url, namespace: "apps", isInsecure: false, credentials });
  const heard: string[] = [];
  const troubles: unknown[] = [];
  const mirror = createReflector<"ConfigMap", ObjectOf<"ConfigMap">>(
    transport,
    { kind: "ConfigMap", namespace: "apps" },
    {
      pace,
      silenceMs,
      onChange: (change) => heard.push(inWords(change)),
      onTrouble: (error) => troubles.push(error),
    },
  );
  return { mirror, heard, troubles, [Symbol.asyncDispose]: mirror.stop };
}

const inWords = ({ type, object: { metadata } }: Change<ObjectOf<"ConfigMap">>) =>
  `${type} ${metadata?.name}@${metadata?.resourceVersion}`;
const bookmark = (version: number) =>
  line("BOOKMARK", { kind: "ConfigMap", metadata: { resourceVersion: String(version) } });
const held = (mirror: Reflector<ObjectOf<"ConfigMap">>) =>
  mirror.items().map(({ metadata }) => `${metadata?.name}@${metadata?.resourceVersion}`);

test("what is listed and what is watched after it are told once each", async () => {
  const chunks = [
    line("ADDED", configMap("b", 11)),
    line("MODIFIED", configMap("a", 12)),
    line("DELETED", configMap("b", 13)),
  ];
  await using server = serveWatch({
    lists: [{ version: 10, items: [configMap("a", 5)] }],
    watches: [{ chunks, ending: "silence" }],
  });
  await using run = reflect(server.url);
  await run.mirror.ready;
  expect(run.mirror.get("a")).toMatchObject({ kind: "ConfigMap" });
  await waitFor("the last event", () => run.heard.length === 4);
  expect(run.heard).toEqual(["added a@5", "added b@11", "changed a@12", "deleted b@13"]);
  expect(held(run.mirror)).toEqual(["a@12"]);
  expect(server.watchedFrom()).toEqual(["10"]);
});

test("events are whole wherever the stream is cut into chunks, within a character too", async () => {
  const bytes = new TextEncoder().encode(line("ADDED", configMap("a", 11, { data: { word: "größer 🦊" } })));
  const chunks = [...bytes].map((byte) => Uint8Array.of(byte)).slice(0, 60);
  const rest = Array.from({ length: Math.ceil((bytes.length - 60) / 7) }, (_, index) =>
    bytes.slice(60 + index * 7, 67 + index * 7),
  );
  await using server = serveWatch({ lists: [empty], watches: [{ chunks: [...chunks, ...rest], ending: "silence" }] });
  await using run = reflect(server.url);
  await waitFor("the event", () => run.mirror.items().length === 1);
  expect(run.mirror.get("a")?.data).toEqual({ word: "größer 🦊" });
});

test("a watch that ends goes on from its last event or bookmark, without a list", async () => {
  await using server = serveWatch({
    lists: [empty],
    watches: [
      { chunks: [line("ADDED", configMap("a", 11))] },
      { chunks: [bookmark(20)] },
      { chunks: [line("MODIFIED", configMap("a", 21)), '{"type":"MODIFIED","object":{"met'] },
    ],
  });
  await using run = reflect(server.url);
  await waitFor("the fourth watch", () => server.watchedFrom().length === 4);
  expect(server.watchedFrom()).toEqual(["10", "11", "20", "21"]);
  expect(server.lists()).toHaveLength(1);
  expect(run.heard).toEqual(["added a@11", "changed a@21"]);
  expect(run.troubles).toEqual([]); // what was cut off comes again
});

test.each<[string, WatchScript]>([
  ["as an answer", { status: refusal(410, { reason: "Expired" }) }],
  ["within the stream", { chunks: [line("ERROR", { kind: "Status", code: 410, reason: "Expired" })] }],
])("410 %s leads to a list, and what went meanwhile is told", async (_how, expired) => {
  await using server = serveWatch({
    lists: [
      { version: 10, items: [configMap("gone", 1), configMap("same", 2), configMap("new", 3), configMap("again", 4)] },
      { version: 30, items: [configMap("same", 2), configMap("new", 29), configMap("again", 28, { uid: "other" })] },
    ],
    watches: [expired],
  });
  await using run = reflect(server.url);
  await waitFor("the second watch", () => server.watchedFrom().length === 2);
  expect(server.watchedFrom()).toEqual(["10", "30"]);
  expect(run.heard.slice(4)).toEqual(["changed new@29", "deleted again@4", "added again@28", "deleted gone@1"]);
  expect(held(run.mirror).sort()).toEqual(["again@28", "new@29", "same@2"]);
});

test("another ERROR is reported, and the watch goes on where it was", async () => {
  await using server = serveWatch({
    lists: [empty],
    watches: [
      {
        chunks: [line("ADDED", configMap("a", 11)), line("ERROR", { code: 500, reason: "InternalError" })],
        ending: "silence",
      },
      {},
    ],
  });
  await using run = reflect(server.url, { pace: { listEveryMs: 1, firstDelayMs: 500, longestDelayMs: 500 } });
  await waitFor("the connection to be let go", () => run.troubles.length === 1 && server.left() === 1);
  await waitFor("the second watch", () => server.watchedFrom().length === 2);
  expect(server.watchedFrom()).toEqual(["10", "11"]);
  expect(run.troubles).toMatchObject([{ problem: "failed" }]);
  expect(server.lists()).toHaveLength(1);
});

test("a watch that says nothing, not even a bookmark, is asked for again", async () => {
  const script: WatchScript = { chunks: [bookmark(20)], ending: "silence" };
  await using server = serveWatch({ lists: [empty], watches: [script, script, script] });
  await using run = reflect(server.url, { silenceMs: 50 });
  await waitFor("the third watch", () => server.watchedFrom().length >= 3);
  expect(run.troubles[0]).toMatchObject({ problem: "timeout" });
  expect(server.lists()).toHaveLength(1);
});

test("bookmarks alone keep a watch", async () => {
  await using server = serveWatch({ lists: [empty], watches: [{ chunks: [bookmark(11)], ending: "silence" }] });
  await using run = reflect(server.url, { silenceMs: 800 });
  await waitFor("the watch", server.isOpen);
  for (let version = 12; version < 22; version += 1) {
    const heardAt = run.mirror.heardAt;
    await waitFor("a while", () => Date.now() > heardAt + 100);
    server.say(bookmark(version));
    await waitFor("the bookmark", () => run.mirror.heardAt > heardAt);
  }
  expect(server.watchedFrom()).toEqual(["10"]);
  expect(run.troubles).toEqual([]);
});

test("a limited watch waits as long as it was asked to", async () => {
  await using server = serveWatch({ lists: [empty], watches: [{ status: refusal(429, {}, { "retry-after": "1" }) }] });
  await using _run = reflect(server.url);
  await waitFor("the second watch", () => server.watchedFrom().length === 2);
  const [, first, second] = server.requests;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
});

test("events that come twice or out of order change nothing that is newer", async () => {
  const chunks = [
    line("ADDED", configMap("a", 11)),
    line("ADDED", configMap("a", 11)),
    line("MODIFIED", configMap("a", 13)),
    line("MODIFIED", configMap("a", 12)),
    line("DELETED", configMap("b", 15)),
    line("ADDED", configMap("b", 14)), // it is gone already
    line("DELETED", configMap("a", 16, { uid: "an older a" })),
    line("MODIFIED", configMap("a", 17)),
    line("ADDED", configMap("c", 9)), // late, and never seen
  ];
  await using server = serveWatch({ lists: [empty], watches: [{ chunks }] });
  await using run = reflect(server.url);
  await waitFor("the second watch", () => server.watchedFrom().length === 2);
  expect(run.heard).toEqual(["added a@11", "changed a@13", "changed a@17", "added c@9"]);
  expect(server.watchedFrom()).toEqual(["10", "17"]);
});

test("lists are never closer together than their pace, whatever the server does", async () => {
  const pace = { ...quick, listEveryMs: 300 };
  const watches = Array.from({ length: 50 }, () => ({ status: refusal(410) }));
  await using server = serveWatch({ lists: [refusal(503), refusal(500), refusal(429), empty], watches });
  await using _run = reflect(server.url, { pace });
  await waitFor("the sixth list", () => server.lists().length === 6);
  const times = server.lists().map(({ at }) => at);
  for (const [index, at] of times.slice(1).entries()) expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(295);
});

test("a server that ends each watch at once is not hammered", async () => {
  const pace = { listEveryMs: 1, firstDelayMs: 100, longestDelayMs: 100 };
  await using server = serveWatch({ lists: [empty], watches: Array.from({ length: 50 }, () => ({})) });
  await using _run = reflect(server.url, { pace });
  await waitFor("the sixth watch", () => server.watchedFrom().length === 6);
  const [first, last] = [server.requests[1], server.requests[6]];
  expect((last?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(240);
});

test("a listener that throws is reported, and the copy is kept", async () => {
  await using server = serveWatch({ lists: [{ version: 10, items: [configMap("a", 1), configMap("b", 2)] }] });
  const transport = createTransport({
    server: server.url,
    namespace: "apps",
    isInsecure: false,
    credentials: sourceCredentials({}),
  });
  const troubles: unknown[] = [];
  await using mirror = createReflector(
    transport,
    { kind: "ConfigMap", namespace: "apps" },
    {
      project: ({ metadata }) => metadata?.name,
      onChange: () => {
        throw new Error("listener");
      },
      onTrouble: (error) => troubles.push(error),
    },
  );
  await mirror.ready;
  expect(mirror.items()).toEqual(["a", "b"]);
  expect(troubles).toHaveLength(2);
});

test("a reflector that is stopped ends its watch, and whoever waits for it is told", async () => {
  await using server = serveWatch({ lists: [empty] });
  const run = reflect(server.url);
  await waitFor("the watch", server.isOpen);
  await run.mirror.stop();
  await waitFor("the connection to be let go", () => !server.isOpen());

  await using ill = serveWatch({ lists: [refusal(403)] });
  const never = reflect(ill.url);
  await waitFor("the refusal", () => never.troubles.length > 0);
  await never.mirror.stop();
  expect(await never.mirror.ready.catch((error) => error.name)).toBe("AbortError");
  expect(never.troubles[0]).toMatchObject({ problem: "denied" });
});
