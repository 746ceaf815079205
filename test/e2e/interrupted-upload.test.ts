import { describe, expect, test } from "bun:test";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../harness/agent.ts";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { heavyApp } from "../harness/heavy-app.ts";
import { toxiproxy, toxiproxyTier } from "../harness/toxiproxy.ts";
import { waitFor } from "../harness/wait-for.ts";

const partBytes = 5 * 1024 ** 2;
const headerBytes = 20_000; // of all requests together

/** A server whose signed URLs lead through toxiproxy; the command's other calls go straight to it. */
async function behindProxy(env: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack();
  const user = stack.use(await createUser());
  const proxy = stack.use(await toxiproxy());
  const parts = {
    AETHER_MULTIPART_THRESHOLD_BYTES: "1000000",
    AETHER_MULTIPART_PART_SIZE_BYTES: String(partBytes),
  };
  const port = await freePort();
  const addresses = { AETHER_PUBLIC_URL: proxy.url, AETHER_INTERNAL_URL: `http://127.0.0.1:${port}` };
  const args = ["--port", String(port)];
  const server = stack.use(await startServe(user, { args, env: { ...addresses, ...parts, ...env } }));
  await proxy.leadTo(server.port);
  const deploy = (folder: string) => ["deploy", folder, "--server", `http://127.0.0.1:${server.port}`];
  async function storedParts(): Promise<number> {
    const folder = join(user.path, "data", "storage", "multipart");
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    return names.filter((name) => /\/\d{5}-[0-9a-f]{64}$/.test(name)).length;
  }
  /** Of files that are still on their way as well. */
  async function receivedBytes(): Promise<number> {
    const folder = join(user.path, "data", "storage");
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const found = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
    return found.reduce((sum, file) => sum + (file?.isFile() && file.size > 100_000 ? file.size : 0), 0);
  }
  return { user, proxy, server, deploy, storedParts, receivedBytes, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(!toxiproxyTier().available)("an upload through a bad network", () => {
  test("is finished although connections are cut, and costs less than a part more for each cut (REG-E9)", async () => {
    await using run = await behindProxy();
    // Enough for a part, and not for a second one on the same connection.
    await run.proxy.add({ type: "limit_data", attributes: { bytes: partBytes + 2_000_000 } });
    const { code, json, stderr } = await runJson(run.user, run.deploy(await heavyApp(run.user, 40)));
    expect(code === 0 ? "" : stderr).toBe("");
    const cuts = stderr.split("Trying again.").length - 1;
    expect(cuts).toBeGreaterThan(0);
    expect(await run.proxy.sentBytes()).toBeLessThan(json.size_bytes + cuts * partBytes + headerBytes);
    expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes, reused_bytes: 0 });
  });

  test.each([
    ["kill -9", "SIGKILL", 137],
    ["Ctrl-C", "SIGINT", 130],
  ] as const)(
    "that ends by %s is resumed by the next deploy, which sends only what is missing (K3)",
    async (_what, signal, code) => {
      await using run = await behindProxy();
      const folder = await heavyApp(run.user, 30);
      await run.proxy.add({ type: "bandwidth", attributes: { rate: 3_000 } });
      const killed = run.user.spawn(run.deploy(folder));
      await waitFor("parts are stored", async () => (await run.storedParts()) > 0, { withinMs: 30_000 });
      killed.kill(signal);
      expect(await killed.exited).toBe(code);
      await run.proxy.turnOff(); // what the dead one left in the proxy goes nowhere
      await run.proxy.remove("bandwidth");
      await run.proxy.leadTo(run.server.port);
      const before = await run.proxy.sentBytes();
      const { json, stderr } = await runJson(run.user, run.deploy(folder));
      expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes - json.reused_bytes });
      expect(json.reused_bytes).toBeGreaterThanOrEqual(partBytes);
      expect(json.uploaded_bytes).toBeGreaterThan(0);
      expect(stderr).toContain("were there from an upload before");
      expect((await run.proxy.sentBytes()) - before).toBeLessThan(json.uploaded_bytes + headerBytes);
    },
  );

  test("survives a server that stops and starts again in the middle of it (F16)", async () => {
    await using run = await behindProxy();
    await run.proxy.add({ type: "bandwidth", attributes: { rate: 3_000 } });
    const deploying = runJson(run.user, run.deploy(await heavyApp(run.user, 30)));
    await waitFor("parts are stored", async () => (await run.storedParts()) > 0, { withinMs: 30_000 });
    expect(await run.server.stop()).toBe(0);
    const env = { AETHER_PUBLIC_URL: run.proxy.url };
    await using second = await startServe(run.user, { env, args: ["--port", String(run.server.port)] });
    expect(second.port).toBe(run.server.port);
    const { code, json, stderr } = await deploying;
    expect(code === 0 ? "" : stderr).toBe("");
    expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes, reused_bytes: 0 });
  });

  test.each([
    ["in one piece", { AETHER_MULTIPART_THRESHOLD_BYTES: "100000000" }],
    ["in parts", {}],
  ])("%s whose app is deleted meanwhile ends with that, and does not create the app again", async (_way, env) => {
    await using run = await behindProxy(env);
    await run.proxy.add({ type: "bandwidth", attributes: { rate: 700 } });
    const deploying = runJson(run.user, run.deploy(await heavyApp(run.user, 8)));
    await waitFor("bytes arrive", async () => (await run.receivedBytes()) > 0, { withinMs: 30_000 });
    const to = ["--server", `http://127.0.0.1:${run.server.port}`];
    expect(await run.user.run(["apps", "delete", "heavy", "--yes", ...to])).toMatchObject({ code: 0 });
    const { code, json, stderr } = await deploying;
    expect({ code, json }).toMatchObject({ code: 20, json: { code: "not_found", app: "heavy" } });
    expect(stderr).toContain('The app "heavy" was deleted while it was deployed.');
    expect((await runJson(run.user, ["apps", "list", ...to])).json.apps).toEqual([]);
  });

  test("goes through the server when the storage cannot be reached and that is allowed, and says so (REG-E13)", async () => {
    await using run = await behindProxy({ AETHER_DIRECT_UPLOAD: "1" });
    await run.proxy.turnOff();
    const { code, json, stderr } = await runJson(run.user, run.deploy(await heavyApp(run.user, 6)));
    expect(code === 0 ? "" : stderr).toBe("");
    expect(stderr).toContain("Sending the artifact through the server instead.");
    const { host } = new URL(run.proxy.url);
    expect(json).toMatchObject({
      status: "running",
      uploaded_bytes: json.size_bytes,
      note: `sent through the server: the storage ${host} could not be reached`,
    });
  });

  test.skipIf(process.env.AETHER_TEST_FULL !== "1")(
    "that stands still is broken off, by whoever loses patience first, and tried again (F2)",
    async () => {
      await using run = await behindProxy();
      await run.proxy.add({ type: "timeout", attributes: { timeout: 0 } });
      const deploying = run.user.spawn([...run.deploy(await heavyApp(run.user, 20)), "--json"]);
      let story = "";
      let cured = false;
      for await (const chunk of deploying.stderr) {
        story += new TextDecoder().decode(chunk);
        if (!cured && story.includes("Trying again")) {
          cured = true;
          await run.proxy.remove("timeout");
        }
      }
      const code = await deploying.exited;
      expect(code === 0 ? "" : story).toBe("");
      expect(cured).toBe(true);
    },
    90_000,
  );
});
