import { describe, expect, test } from "bun:test";
import type { Files } from "../../harness/artifact-store.ts";
import { busyApp } from "../../harness/busy-app.ts";
import { slowRequests, upgraded, uploads } from "../../harness/busy-clients.ts";
import { createHotApp } from "../../harness/hot-app.ts";
import { nodes } from "../../harness/nodes.ts";
import { type Load, strictLoad } from "../../harness/strict-load.ts";
import { waitFor } from "../../harness/wait-for.ts";

const reloads = process.env.AETHER_TEST_FULL === "1" ? 100 : 20;

const workers = (text: string): Files => ({
  "server.js": `
const cluster = require("node:cluster");
if (cluster.isPrimary) for (let worker = 0; worker < 2; worker += 1) cluster.fork();
else require("./app.js");
`,
  "app.js": busyApp(text)["server.js"],
});

/** Ways to start that people have, between us and the process that listens. */
const shapes: [string, string, (text: string) => Files][] = [
  ["npm", "npm start", (text) => ({ ...busyApp(text), "package.json": '{"scripts":{"start":"node server.js"}}' })],
  ["a program of node_modules/.bin", "serve-it", behindBin],
  ["a shell that goes on", "node server.js; true", busyApp],
  ["a cluster of two processes", "exec node server.js", workers],
];

/** As `next start` is found: a script with a first line for the kernel, which starts the server in a process of its own. */
function behindBin(text: string): Files {
  const script = `#!/usr/bin/env node\nrequire("node:child_process").fork("./server.js").on("exit", (code) => process.exit(code));`;
  return { ...busyApp(text), "node_modules/.bin/serve-it": script };
}

describe.each(nodes())("on %s", (_, node) => {
  test(
    `${reloads} reloads drop nothing: kept connections and new ones, slow requests, uploads, an upgraded connection`,
    async () => {
      await using app = await createHotApp({ node });
      expect(await app.reload(busyApp("v0"))).toMatchObject({ ok: true });
      const { port } = app;
      const loads: Record<string, Load> = {
        kept: strictLoad({ port, connections: 8, everyMs: 20, isKept: true }),
        new: strictLoad({ port, connections: 4, everyMs: 40, isKept: false }),
        slow: slowRequests(port, 400),
        uploads: uploads(port),
        upgraded: upgraded(port, { forMs: 5_000 }),
      };
      for (let version = 1; version <= reloads; version += 1) {
        expect(await app.reload(busyApp(`v${version}`))).toMatchObject({ ok: true });
        await waitFor("its first answers", () => (loads.kept?.answers.get(`v${version}`) ?? 0) > 10);
      }
      await Promise.all(Object.values(loads).map((load) => load.stop()));
      const failures = Object.fromEntries(Object.entries(loads).map(([name, load]) => [name, load.failures]));
      expect(failures).toEqual({ kept: [], new: [], slow: [], uploads: [], upgraded: [] });
      for (const name of ["slow", "uploads", "upgraded"]) expect(loads[name]?.answers.size).toBeGreaterThan(0);
      expect(loads.new?.answers.size).toBeGreaterThan(reloads / 2);
    },
    reloads * 15_000,
  );

  test.each(shapes)("reloads drop nothing behind %s", async (_, start, files) => {
    await using app = await createHotApp({ node });
    expect(await app.reload(files("v0"), { start })).toMatchObject({ ok: true });
    const load = strictLoad({ port: app.port, connections: 4, everyMs: 20, isKept: true });
    for (const version of ["v1", "v2", "v3"]) {
      expect(await app.reload(files(version), { start })).toMatchObject({ ok: true });
      await waitFor("its first answers", () => (load.answers.get(version) ?? 0) > 10);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    // In use to the last moment: they have been asked to go, and were not cut at their deadline.
    await waitFor("all versions but the last to be gone", async () => (await app.status()).draining === 0);
  });
});
