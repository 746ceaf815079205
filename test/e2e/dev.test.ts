import { expect, test } from "bun:test";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { startDev } from "../harness/dev-session.ts";
import { writeFiles } from "../harness/files.ts";
import { freePort } from "../harness/free-port.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer } from "../harness/kubernetes-server.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

const shopIn = (user: User, more: Record<string, string> = {}) =>
  writeFiles(join(user.path, "shop"), { "package.json": packageJson("shop"), "server.js": answering("v1"), ...more });

/** As most editors save. */
async function save(folder: string, text: string, name = "server.js"): Promise<void> {
  await writeFile(join(folder, ".save.tmp"), text);
  await rename(join(folder, ".save.tmp"), join(folder, name));
}

test("a save is answered, a broken one is told and waited out, and Ctrl-C leaves the app running (HOT-10)", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const folder = await shopIn(user, { ".aetherignore": ".save.tmp\n" });
  await using dev = startDev(user, folder, { env: { AETHER_API_BASE: server.api } });
  const said = async () => (await server.ask("shop")).text();

  expect(await dev.reload()).toMatchObject({
    app: "shop",
    status: "running",
    version: 1,
    changed: [],
    changed_count: 0,
  });
  expect(await said()).toBe("v1");

  await save(folder, answering("v2"));
  const second = await dev.reload();
  expect(second).toMatchObject({
    status: "running",
    version: 2,
    changed: ["server.js"],
    replicas: { running: 1, wanted: 1 },
  });
  expect(second.uploaded_bytes).toBeGreaterThan(0);
  expect(Object.keys(second.stages)).toEqual(["pack_ms", "upload_ms", "load_ms", "total_ms"]);
  expect(await said()).toBe("v2");

  await save(folder, 'throw new Error("no database")');
  const broken = await dev.reload();
  expect(broken).toMatchObject({ status: "failed", code: "deployment_failed", failure_reason: "crash_loop" });
  expect(broken.failure_log.join("\n")).toContain("no database");
  expect(await said()).toBe("v2");

  await save(folder, answering("v4"));
  expect(await dev.reload()).toMatchObject({ status: "running", version: 4 });
  expect(await said()).toBe("v4");
  await save(folder, answering("v4"));
  expect(await dev.reload()).toMatchObject({ status: "unchanged", changed: ["server.js"], replicas: null });

  const { code, rest, stderr } = await dev.interrupt();
  expect({ code, rest }).toEqual({ code: 130, rest: [] });
  expect(stderr).toContain("shop goes on running");
  expect(await said()).toBe("v4");
}, 120_000);

test("what is saved while a release starts makes one more reload after it, with the newest text", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const gate = join(user.path, "gate");
  const folder = await shopIn(user, { ".aetherignore": ".save.tmp\n" });
  await using dev = startDev(user, folder, { env: { AETHER_API_BASE: server.api } });
  expect(await dev.reload()).toMatchObject({ version: 1 });

  const waits = `while (!require("node:fs").existsSync(${JSON.stringify(gate)})) pause();
function pause() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); }`;
  await save(folder, waits + answering("v2"));
  await waitFor("v2 to start", async () => {
    const { json } = await runJson(user, ["status", "shop"], { env: { AETHER_API_BASE: server.api } });
    return JSON.stringify(json).includes('"pending"');
  });
  for (const text of ["v3", "v4", "v5"]) await save(folder, answering(text));
  await writeFile(gate, "");
  expect(await dev.reload()).toMatchObject({ status: "running", version: 2 });
  expect(await dev.reload()).toMatchObject({ status: "running", version: 3, changed: ["server.js"] });
  expect(await (await server.ask("shop")).text()).toBe("v5");
  expect((await dev.interrupt()).rest).toEqual([]);
}, 120_000);

test("dev.build runs before each pack, and what it writes makes no reload of its own", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const folder = await shopIn(user, {
    "server.js": "not built yet",
    "src/server.js": answering("v1"),
    "aether.json": JSON.stringify({ dev: { build: "test -s src/server.js && cp src/server.js server.js" } }),
    ".aetherignore": ".save.tmp\n",
  });
  await using dev = startDev(user, folder, { env: { AETHER_API_BASE: server.api } });
  expect(await dev.reload()).toMatchObject({ status: "running", version: 1 });
  for (const version of [2, 3]) {
    await save(folder, answering(`v${version}`), "src/server.js");
    expect(await dev.reload()).toMatchObject({ status: "running", version, changed: ["src/server.js"] });
    expect(await (await server.ask("shop")).text()).toBe(`v${version}`);
  }
  await save(folder, "", "src/server.js");
  expect(await dev.reload()).toMatchObject({ status: "failed", code: "build_failed" });
  await save(folder, answering("v4"), "src/server.js");
  expect(await dev.reload()).toMatchObject({ status: "running", version: 4 });
  expect((await dev.interrupt()).rest).toEqual([]);
}, 120_000);

test("a server that is away is told, and what was saved meanwhile is loaded when it is back", async () => {
  await using user = await createUser();
  const args = ["--port", String(freePort()), "--gateway-port", String(freePort())];
  const first = await startServe(user, { args });
  const folder = await shopIn(user, { ".aetherignore": ".save.tmp\n" });
  await using dev = startDev(user, folder, { env: { AETHER_API_BASE: first.api } });
  expect(await dev.reload()).toMatchObject({ version: 1 });
  await first.stop();
  await save(folder, answering("v2"));
  expect(await dev.reload()).toMatchObject({ status: "failed", code: "unreachable", changed: ["server.js"] });
  await using server = await startServe(user, { args });
  expect(await dev.reload()).toMatchObject({ status: "running", version: 2, changed: ["server.js"] });
  expect(await (await server.ask("shop")).text()).toBe("v2");
}, 120_000);

test("people see the address and a line a reload, also of a server that restarted", async () => {
  await using user = await createUser();
  const args = ["--port", String(freePort()), "--gateway-port", String(freePort())];
  const first = await startServe(user, { args });
  const folder = await shopIn(user, { ".aetherignore": ".save.tmp\n" });
  await using dev = startDev(user, folder, { env: { AETHER_API_BASE: first.api }, flags: [] });
  expect(await dev.line()).toMatch(/^http:\/\/shop\.localhost:\d+$/);
  expect(await dev.line()).toStartWith("all files → v1: ");
  await first.stop();
  await save(folder, answering("v2"));
  await using server = await startServe(user, { args });
  expect(await dev.line()).toMatch(
    /^server\.js → v2: .+ K?B uploaded, .+ s \(pack \d+, upload \d+, load \d+\), replicas 1\/1$/,
  );
  expect(await (await server.ask("shop")).text()).toBe("v2");
}, 120_000);

test("a folder that is none, and a server that is away, end the command at once", async () => {
  await using user = await createUser();
  const env = { AETHER_API_BASE: "http://127.0.0.1:1" };
  expect(await user.run(["dev", "--hot", "--dir", "nowhere"], { env })).toMatchObject({ code: 2 });
  const folder = await shopIn(user);
  const away = await user.run(["dev", "--hot", "--dir", folder], { env });
  expect(away.code).toBe(40);
  expect(away.stderr).toContain("cannot be reached");
});

test.skipIf(!longKubernetesTier().available)(
  "on a cluster a save is answered by both replicas, and no pod is replaced (HOT-10)",
  async () => {
    await using platform = await createKubernetesServer();
    const { user, client: env, cluster, namespace } = platform;
    const folder = await shopIn(user, {
      "aether.json": JSON.stringify({ replicas: 2 }),
      ".aetherignore": ".save.tmp\n",
    });
    const pods = async () => {
      const { items } = await cluster.list({ kind: "Pod", namespace, labelSelector: "app=shop" });
      return items.map(({ metadata, status }) => [metadata?.uid, status?.containerStatuses?.[0]?.restartCount]).sort();
    };
    await using dev = startDev(user, folder, { env });
    const { url } = await dev.reload();
    const answers = (text: string) =>
      waitFor(`both replicas to answer ${text}`, async () => {
        const asked = Array.from({ length: 10 }, () => fetch(url, { keepalive: false }).then((said) => said.text()));
        return (await Promise.all(asked.map((one) => one.catch(String)))).every((one) => one === text);
      });
    await answers("v1");
    const before = await pods();
    expect(before).toHaveLength(2);
    for (const text of ["v2", "v3"]) {
      await save(folder, answering(text));
      expect(await dev.reload()).toMatchObject({ status: "running", replicas: { running: 2, wanted: 2 } });
      await answers(text);
    }
    await save(folder, 'throw new Error("no database")');
    expect(await dev.reload()).toMatchObject({ status: "failed", failure_reason: "crash_loop" });
    await answers("v3");
    await save(folder, answering("v5"));
    expect(await dev.reload()).toMatchObject({ status: "running", replicas: { running: 2, wanted: 2 } });
    await answers("v5");
    expect(await pods()).toEqual(before);
    expect((await dev.interrupt()).code).toBe(130);
    await answers("v5");
  },
  240_000,
);
