import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ReplicaRecord } from "../../../src/core/agent-protocol.ts";
import { groupMembers, isRunning, processRecord } from "../../../src/lib/processes.ts";
import { cleanLeftovers } from "../../../src/runtime/local/leftovers.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { createArtifactStore } from "../../harness/artifact-store.ts";
import { agentPath, createLocalHarness } from "../../harness/local-runtime.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { answering } from "../../harness/tiny-apps.ts";
import { waitFor } from "../../harness/wait-for.ts";

const log = createLogger({ level: "error", format: "json", write: () => undefined });

/** A driver in its own process, over `folder`. */
async function startDriver(folder: string, storageOrigin: string) {
  const script = join(import.meta.dir, "..", "..", "harness", "runtime-process.ts");
  const driver = Bun.spawn([process.execPath, script, folder, await agentPath(), storageOrigin], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const events: Record<string, unknown>[] = [];
  void (async () => {
    let rest = "";
    for await (const chunk of driver.stdout) {
      const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
      rest = lines.pop() ?? "";
      events.push(...lines.map((line) => JSON.parse(line)));
    }
  })();
  const event = (type: string) =>
    waitFor(`${type}`, () => events.find((one) => one.type === type), { withinMs: 20_000 });
  const { port } = await event("started");
  return {
    event,
    apply: (release: object) => {
      driver.stdin.write(`${JSON.stringify(release)}\n`);
      driver.stdin.flush();
    },
    get: (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { headers: { host: "shop.localhost" } }),
    async kill() {
      driver.kill("SIGKILL");
      await driver.exited;
    },
  };
}

async function recordsIn(folder: string): Promise<ReplicaRecord[]> {
  const names = await readdir(join(folder, "processes"));
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, "processes", name), "utf8"))));
}

/** Two tests of one application differ in its replicas only. */
async function shopRelease(store: Awaited<ReturnType<typeof createArtifactStore>>, replicas: number) {
  return { app: "shop", deploymentId: "d1", version: 1, replicas, env: {}, ...(await store.add(answering("hello"))) };
}

test("a killed server leaves no orphan, and the next one runs each replica once", async () => {
  await using folder = await temporaryFolder();
  await using store = await createArtifactStore();
  const release = await shopRelease(store, 2);
  const first = await startDriver(folder.path, store.storageOrigin);
  first.apply(release);
  await first.event("running");
  const old = await recordsIn(folder.path);
  await first.kill();

  const second = await startDriver(folder.path, store.storageOrigin);
  expect(old.map(({ app }) => app && isRunning(app))).toEqual([false, false]);
  second.apply(release);
  await second.event("running");
  expect(await (await second.get("/")).text()).toBe("hello");
  const records = await recordsIn(folder.path);
  expect(records).toHaveLength(2);

  await second.kill();
  await waitFor("everything to end by itself", () =>
    records.every(({ app, agent }) => app && agent && !isRunning(app) && !isRunning(agent)),
  );
  expect(records.flatMap(({ app }) => groupMembers(app?.pid ?? 0))).toEqual([]);
}, 180_000);

test("an application whose server and agent were both killed is ended by the next server", async () => {
  await using folder = await temporaryFolder();
  await using store = await createArtifactStore();
  const release = await shopRelease(store, 1);
  const driver = await startDriver(folder.path, store.storageOrigin);
  driver.apply(release);
  await driver.event("running");
  const [{ app, agent } = {}] = await recordsIn(folder.path);
  if (app === undefined || agent === undefined) throw new Error("no record");
  await driver.kill();
  process.kill(agent.pid, "SIGSTOP"); // it must not see the end of its standard input
  process.kill(agent.pid, "SIGKILL");
  if (!isRunning(app)) return; // the agent was faster

  await cleanLeftovers(join(folder.path, "processes"), { appsFolder: folder.path, graceMs: 2_000, log });
  expect([isRunning(app), groupMembers(app.pid)]).toEqual([false, []]);
  expect(await recordsIn(folder.path)).toEqual([]);
}, 180_000);

test("a process that only has the pid of a recorded one is left alone", async () => {
  await using folder = await temporaryFolder();
  const stranger = Bun.spawn(["sleep", "100"]);
  const record = { pid: stranger.pid, startedAt: "long ago" };
  await Bun.write(join(folder.path, "shop-v1-0.json"), JSON.stringify({ agent: record, app: record }));
  await cleanLeftovers(folder.path, { appsFolder: folder.path, graceMs: 100, log });
  expect(processRecord(stranger.pid)).toBeDefined();
  stranger.kill();
  await stranger.exited;
});

test.if(process.platform === "linux")("what a shell left behind when it ended is found by its folder", async () => {
  await using folder = await temporaryFolder();
  const shell = spawn("sh", ["-c", "sleep 100 & echo $!"], { cwd: folder.path, detached: true, stdio: "pipe" });
  const pid = shell.pid ?? 0;
  await new Promise((done) => shell.once("exit", done));
  expect(groupMembers(pid)).toHaveLength(1);
  await Bun.write(
    join(folder.path, "processes", "shop-v1-0.json"),
    JSON.stringify({ app: { pid, startedAt: "then" } }),
  );
  const clean = (appsFolder: string) =>
    cleanLeftovers(join(folder.path, "processes"), { appsFolder, graceMs: 2_000, log });
  await clean("/elsewhere");
  expect(groupMembers(pid)).toHaveLength(1);
  await Bun.write(
    join(folder.path, "processes", "shop-v1-0.json"),
    JSON.stringify({ app: { pid, startedAt: "then" } }),
  );
  await clean(dirname(folder.path));
  expect(groupMembers(pid)).toEqual([]);
});

test("a record that was cut off in the middle is cleaned away", async () => {
  await using folder = await temporaryFolder();
  await Bun.write(join(folder.path, "shop-v1-0.json"), '{"agent":{"pi');
  await cleanLeftovers(folder.path, { appsFolder: folder.path, graceMs: 100, log });
  expect(await readdir(folder.path)).toEqual([]);
});

test("an agent that is killed takes its application with it, and both come back", async () => {
  await using local = await createLocalHarness();
  await local.deploy(answering("hello"));
  const [{ app, agent } = {}] = await recordsIn(local.folder.path);
  if (app === undefined || agent === undefined) throw new Error("no record");
  process.kill(agent.pid, "SIGKILL");
  await waitFor("the application to end", () => !isRunning(app));
  await waitFor("a new replica", async () => {
    const [replica] = await local.runtime.replicas("shop");
    return replica?.state === "running" && replica.restarts === 1;
  });
  expect(await (await local.get("/")).text()).toBe("hello");
  expect(await recordsIn(local.folder.path)).toHaveLength(1);
});
