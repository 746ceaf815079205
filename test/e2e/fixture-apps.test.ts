import { afterAll, beforeAll, expect, test } from "bun:test";
import { runJson } from "../harness/binary.ts";
import { snapshotOf } from "../harness/files.ts";
import { fixtureApp } from "../harness/fixture-app.ts";
import { onEachRuntime, type Platform } from "../harness/platform.ts";

const full = process.env.AETHER_TEST_FULL === "1";

/** Kind, whether its folder holds what a build needs, and what it answers. */
const fixtures = [
  ["http", false, "http 1.0.0"],
  ["express", false, "express 1.0.0"],
  ["fastify", false, "fastify 1.0.0"],
  ["esm", false, "esm 1.0.0 21"],
  ["socket-io", false, "socket-io 1.0.0"],
  ["native", false, "native 1.0.0 PNG true"],
  ["pnpm", false, "pnpm 1.0.0"],
  ["yarn", false, "yarn 1.0.0"],
  ["nestjs", true, "nestjs 1.0.0"],
  ...(full ? ([["next", true, "next 1.0.0"]] as const) : []),
] as const;

/** What is in an artifact is the same on each runtime: on a cluster these, and all in a full run. */
const onCluster = ["http", "express", "native"];

onEachRuntime((open, runtime) => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await open();
  }, 180_000);
  afterAll(() => platform[Symbol.asyncDispose]());

  /** What a person has in their folder before they build: the development dependencies. */
  function installForBuild(folder: string): void {
    const npm = Bun.spawnSync(["npm", "ci", "--no-audit", "--no-fund"], { cwd: folder, env: platform.user.env });
    expect(npm.exitCode).toBe(0);
  }

  test.each(fixtures.filter(([kind]) => full || runtime === "local" || onCluster.includes(kind)))(
    "the %s application is deployed and answers; its folder is not touched",
    async (kind, builds, text) => {
      await using app = await fixtureApp(kind);
      if (builds) installForBuild(app.path);
      const before = builds ? undefined : await snapshotOf(app.path);
      const { code, json, stderr } = await runJson(
        platform.user,
        ["deploy", app.path, ...(kind === "next" ? ["--build"] : [])],
        { env: platform.client },
      );
      expect(code === 0 ? "" : stderr).toBe("");
      expect(json).toMatchObject({ status: "running" });
      expect(await (await platform.ask(json.app)).text()).toContain(text);
      if (before !== undefined) expect(await snapshotOf(app.path)).toEqual(before);
    },
    240_000,
  );

  test("Socket.IO speaks WebSocket with whoever asks for it", async () => {
    await using app = await fixtureApp("socket-io");
    const { json } = await runJson(platform.user, ["deploy", app.path], { env: platform.client });
    const { url, headers } = await platform.route(json.app, "/socket.io/?EIO=4&transport=websocket");
    const socket = new WebSocket(url.replace("http", "ws"), { headers });
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    socket.onmessage = ({ data }) => resolve(String(data));
    socket.onerror = () => reject(new Error("the socket failed"));
    expect(await promise).toStartWith("0{"); // Engine.IO's open packet
    socket.close();
  }, 120_000);
});
