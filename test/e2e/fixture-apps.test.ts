import { afterAll, beforeAll, expect, test } from "bun:test";
import { createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { snapshotOf } from "../harness/files.ts";
import { fixtureApp } from "../harness/fixture-app.ts";

const full = process.env.AETHER_TEST_FULL === "1";

let user: User;
let server: Awaited<ReturnType<typeof startServe>>;
beforeAll(async () => {
  user = await createUser();
  server = await startServe(user);
});
afterAll(async () => {
  await server.stop();
  await user[Symbol.asyncDispose]();
});

/** What a person has in their folder before they build: the development dependencies. */
function installForBuild(folder: string): void {
  const npm = Bun.spawnSync(["npm", "ci", "--no-audit", "--no-fund"], { cwd: folder, env: user.env });
  expect(npm.exitCode).toBe(0);
}

test.each([
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
] as const)(
  "the %s application is deployed and answers; its folder is not touched",
  async (kind, builds, text) => {
    await using app = await fixtureApp(kind);
    if (builds) installForBuild(app.path);
    const before = builds ? undefined : await snapshotOf(app.path);
    const { code, json, stderr } = await runJson(user, [
      "deploy",
      app.path,
      "--server",
      server.api,
      ...(kind === "next" ? ["--build"] : []),
    ]);
    expect(code === 0 ? "" : stderr).toBe("");
    expect(json).toMatchObject({ status: "running" });
    expect(await (await server.ask(json.app)).text()).toContain(text);
    if (before !== undefined) expect(await snapshotOf(app.path)).toEqual(before);
  },
  240_000,
);

test("Socket.IO speaks WebSocket through the gateway", async () => {
  await using app = await fixtureApp("socket-io");
  const { json } = await runJson(user, ["deploy", app.path, "--server", server.api]);
  const url = new URL("/socket.io/?EIO=4&transport=websocket", server.gateway.replace("http", "ws"));
  const socket = new WebSocket(url, { headers: { host: `${json.app}.localhost` } });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.onmessage = ({ data }) => resolve(String(data));
  socket.onerror = () => reject(new Error("the socket failed"));
  expect(await promise).toStartWith("0{"); // Engine.IO's open packet
  socket.close();
});
