import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packFolder } from "../../src/artifact/pack/pack.ts";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { onEachRuntime } from "../harness/platform.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";
import { openWebSocket } from "../harness/web-socket.ts";

async function shop(user: { path: string }, text = "v1") {
  return writeFiles(join(user.path, "shop"), {
    "package.json": packageJson("shop"),
    "server.js": answering(text),
    "dist/built.js": "// what a build made",
    ".gitignore": "dist/\n",
    ".env": "SECRET=1\n",
  });
}

/** Every one of them is known on each runtime. */
const stages = [
  ...["boot_ms", "check_ms", "create_ms", "detect_ms", "fetch_ms", "install_ms", "pack_ms", "ready_ms", "schedule_ms"],
  ...["start_ms", "total_ms", "unpack_ms", "upload_ms"],
];

/** A cluster needs its time. */
const patient = { withinMs: 45_000 };

onEachRuntime((open) => {
  test("from a folder to an answer: deploy, list, status, logs", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const folder = await shop(user);
    const { code, json, stderr } = await runJson(user, ["deploy", folder], { env });
    expect(stderr).toContain("Left out:");
    expect(code).toBe(0);
    expect(json).toMatchObject({
      app: "shop",
      status: "running",
      version: 1,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      url: expect.stringMatching(platform.urlOf("shop")),
      sbom: null,
      signature: null,
      provenance: null,
      note: null,
      uploaded_bytes: json.size_bytes,
      reused_bytes: 0,
    });
    expect(Object.keys(json.timings).sort()).toEqual(stages);
    const manifest = JSON.parse(await readFile(json.manifest, "utf8"));
    const paths = manifest.files.map(({ path }: { path: string }) => path);
    expect(paths).toContain("dist/built.js");
    expect(paths).not.toContain(".env");
    expect(await (await platform.ask("shop")).text()).toBe("v1");

    expect((await runJson(user, ["list"], { env })).json).toMatchObject({
      apps: [{ name: "shop", deployment: { status: "running", version: 1 } }],
    });
    expect((await user.run(["list"], { env })).stdout).toContain("shop  v1       running");
    expect((await runJson(user, ["status"], { env, cwd: folder })).json).toMatchObject({
      app: "shop",
      running: { digest: json.digest },
    });
    const { stdout } = await user.run(["logs", "shop"], { env });
    expect(stdout).toContain("listening\n");
    expect(stdout).toContain("asked /\n");
    const lines = (await user.run(["logs", "shop", "--json", "--tail", "1"], { env })).stdout.trim().split("\n");
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      line: "asked /",
      pod: expect.stringContaining("shop"),
    });
  });

  test("--timings tells how long each stage took; where two replicas are started, the slower one's", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const folder = await shop(user);
    await writeFile(join(folder, "aether.json"), JSON.stringify({ replicas: 2 }));
    const { code, stderr } = await user.run(["deploy", folder, "--timings"], { env });
    expect(code).toBe(0);
    const told = stderr.slice(stderr.indexOf("STAGE")).trim().split("\n").slice(1);
    const figures = Object.fromEntries(told.map((line) => [line.split(/\s+/)[0], Number(line.split(/\s+/)[1])]));
    expect(Object.keys(figures).sort()).toEqual(stages.map((name) => name.replace("_ms", "")));

    const { json } = await runJson(user, ["status", "shop"], { env });
    const replicas: { timings: Record<string, number> }[] = json.running.replicas;
    expect(replicas).toHaveLength(2);
    for (const stage of ["schedule", "boot", "fetch", "ready"]) {
      expect(figures[stage]).toBe(Math.max(...replicas.map(({ timings }) => timings[`${stage}_ms`] ?? Number.NaN)));
    }
    const { schedule = 0, boot = 0, fetch = 0, unpack = 0, ready = 0 } = figures;
    expect(Math.max(schedule, boot, fetch, unpack, ready)).toBeLessThanOrEqual(figures.start ?? 0);
  });

  test("the same tree again uploads nothing and says so; a change takes over", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const folder = await shop(user);
    const first = await runJson(user, ["deploy", folder], { env });
    const again = await runJson(user, ["deploy", folder], { env });
    expect(again.stderr).toContain("Nothing to upload");
    expect(again.json).toMatchObject({
      digest: first.json.digest,
      uploaded_bytes: 0,
      reused_bytes: first.json.size_bytes,
      version: 2,
    });
    await writeFile(join(folder, "server.js"), answering("v2"));
    const changed = await runJson(user, ["deploy", folder], { env });
    expect(changed.json).toMatchObject({ status: "running", version: 3 });
    await waitFor("nothing but v2", async () => (await (await platform.ask("shop")).text()) === "v2", patient); // v1 drains
  });

  test("--detach returns at once, and the release runs later", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const { json } = await runJson(user, ["deploy", await shop(user), "--detach"], { env });
    expect(json).toMatchObject({ status: "pending", version: 1 });
    await waitFor(
      "the detached release to answer",
      async () => {
        const { json: status } = await runJson(user, ["status", "shop"], { env });
        return status.running;
      },
      patient,
    );
  });

  test("--legacy-upload goes through the server", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const { code, json } = await runJson(user, ["deploy", await shop(user), "--legacy-upload"], { env });
    expect(code).toBe(0);
    expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes });
  });

  test("large artifacts go up in parts", async () => {
    await using platform = await open({
      AETHER_MULTIPART_THRESHOLD_BYTES: "1000000",
      AETHER_MULTIPART_PART_SIZE_BYTES: "5242880",
    });
    const { user, client: env } = platform;
    const folder = await shop(user);
    const noise = new Uint8Array(12_000_000);
    for (let at = 0; at < noise.length; at += 65_536)
      crypto.getRandomValues(noise.subarray(at, Math.min(at + 65_536, noise.length)));
    await writeFile(join(folder, "noise.bin"), noise);
    const { code, json, stderr } = await runJson(user, ["deploy", folder], { env });
    expect(stderr).toContain("Uploaded");
    expect(code).toBe(0);
    expect(json.uploaded_bytes).toBe(json.size_bytes);
    expect(json.size_bytes).toBeGreaterThan(12_000_000);
  });

  test("logs -f shows new lines as they come, and ends with Ctrl-C as a success", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    await runJson(user, ["deploy", await shop(user)], { env });
    const following = user.spawn(["logs", "shop", "-f"], { env });
    let seen = "";
    const reading = (async () => {
      for await (const chunk of following.stdout) seen += new TextDecoder().decode(chunk);
    })();
    await waitFor("the old lines", () => seen.includes("listening"));
    const token = env.AETHER_TOKEN === undefined ? [] : [`aether.bearer.${env.AETHER_TOKEN}`];
    const socketUrl = `${env.AETHER_API_BASE}/apps/shop/logs/ws?follow=1&tail_lines=0&container=app`;
    await using socket = await openWebSocket(socketUrl, token);
    const heard: (string | undefined)[] = [];
    void (async () => {
      do heard.push(await socket.next());
      while (heard.at(-1) !== undefined);
    })();
    await waitFor("the socket to be where the log ends", async () => {
      await platform.ask("shop", "/knock");
      return heard.includes("asked /knock");
    });
    await platform.ask("shop", "/fresh");
    await waitFor("the new line", () => seen.includes("asked /fresh") && heard.includes("asked /fresh"));
    following.kill("SIGINT");
    expect(await following.exited).toBe(0);
    await reading;
    expect(seen.match(/asked \/fresh/g)).toHaveLength(1);
  });

  test("nothing of the server's environment reaches an application", async () => {
    await using platform = await open({ CANARY_SECRET: "canary-7f3a", AWS_SECRET_ACCESS_KEY: "canary-7f3a" });
    const { user, client: env } = platform;
    const folder = await writeFiles(join(user.path, "spy"), {
      "package.json": packageJson("spy"),
      "server.js": `require("node:http").createServer((q, s) => s.end(JSON.stringify(process.env))).listen(process.env.PORT);`,
    });
    await runJson(user, ["deploy", folder], { env });
    const seen = (await (await platform.ask("spy")).json()) as Record<string, string>;
    expect(JSON.stringify(seen)).not.toContain("canary-7f3a");
    expect(Object.keys(seen).filter((name) => /^AETHER|^XDG|^CI$|TOKEN|SECRET/.test(name))).toEqual([]);
    expect(seen).toMatchObject({ NODE_ENV: "production", PORT: expect.stringMatching(/^\d+$/) });
  });

  test("a restart in the middle of a deploy brings back what ran, and goes on with what waits", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const folder = await shop(user);
    await runJson(user, ["deploy", folder], { env });
    await writeFile(join(folder, "server.js"), "setInterval(() => {}, 1000)"); // never answers
    await runJson(user, ["deploy", folder, "--detach"], { env });
    await platform.killAndRestart({ AETHER_START_TIMEOUT_SECS: "2" });
    expect(await (await platform.ask("shop")).text()).toBe("v1");
    const status = async () => (await runJson(user, ["status", "shop"], { env })).json;
    await waitFor(
      "the verdict on the second",
      async () => {
        const { running, latest } = await status();
        expect(running).toMatchObject({ version: 1 });
        return latest.status === "failed";
      },
      patient,
    );
    // Read anew: what showed the verdict had read the replicas a moment before it.
    const { replicas } = (await status()).running;
    const staying = replicas.filter(({ state }: { state: string }) => state !== "stopping");
    expect(staying).toMatchObject([{ version: 1, state: "running" }]);
    expect(await (await platform.ask("shop")).text()).toBe("v1");
  });
});

test("--dry-run, --pack-only, --no-upload and --out touch no server", async () => {
  await using user = await createUser();
  const folder = await shop(user);
  const nowhere = ["--server", "http://127.0.0.1:1"];
  const dry = await runJson(user, ["deploy", folder, "--dry-run", ...nowhere]);
  const { digest } = dry.json; // an asymmetric matcher would replace it
  expect(dry).toMatchObject({
    code: 0,
    json: { note: expect.stringContaining("dry run"), digest: expect.any(String) },
  });
  const packed = await runJson(user, ["deploy", folder, "--pack-only", "--out", "here", ...nowhere]);
  expect(packed.json.artifact).toBe(join(user.path, "here", `app-${packed.json.digest}.tar.gz`));
  expect(packed.json.digest).toBe(digest);
  const listing = Bun.spawnSync(["tar", "tzf", packed.json.artifact]).stdout.toString();
  expect(listing).toContain("server.js");
  const small = await runJson(user, ["deploy", folder, "--no-upload", "--compression-level", "12", ...nowhere]);
  expect(small.code).toBe(0);
  expect(small.json.deployment_id).toBeUndefined();
});

test("the binary's compressing threads give the digest that one thread gives", async () => {
  await using user = await createUser();
  const folder = await shop(user);
  const words = Array.from({ length: 40_000 }, (_, at) => `${at} ${Bun.hash(String(at)).toString(36)}\n`).join("");
  for (let part = 0; part < 20; part += 1) await writeFile(join(folder, `part-${part}.txt`), `${part}\n${words}`);
  const { json } = await runJson(user, ["deploy", folder, "--dry-run", "--no-cache"], { cwd: "/" });
  const alone = await packFolder({
    appFolder: folder,
    appConfig: { start: "node server.js" },
    outFolder: join(user.path, "alone"),
    workers: 1,
  });
  expect(alone.rawBytes).toBeGreaterThan(10_000_000); // less is compressed without threads
  expect(json.digest).toBe(alone.digest);
});

test("after kill -9 of the server, the next one serves the same applications, each once", async () => {
  await using user = await createUser();
  const dataFolder = join(user.path, "data");
  const first = await startServe(user, { dataFolder });
  await runJson(user, ["deploy", await shop(user), "--server", first.api]);
  await first.kill();
  await using second = await startServe(user, { dataFolder });
  const answer = await second.ask("shop"); // held by the gateway until the application is up again
  expect([answer.status, await answer.text()]).toEqual([200, "v1"]);
  const commands = await Promise.all((await readdir("/proc")).map((pid) => commandIn(dataFolder, pid)));
  expect(commands.filter((command) => command === "node server.js")).toHaveLength(1);
});

/** The command line of a process that runs in `folder`, if it is one. */
async function commandIn(folder: string, pid: string): Promise<string | undefined> {
  try {
    if (!(await readlink(`/proc/${pid}/cwd`)).startsWith(folder)) return undefined;
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").join(" ").trim();
  } catch {
    return undefined; // not a process, or gone meanwhile
  }
}

test("the server does not wait for people who follow logs", async () => {
  await using user = await createUser();
  const server = await startServe(user, { env: { AETHER_SUPERVISOR_GRACE_SEC: "600" } });
  await runJson(user, ["deploy", await shop(user), "--server", server.api]);
  const following = user.spawn(["logs", "shop", "-f", "--server", server.api]);
  for await (const chunk of following.stdout) if (new TextDecoder().decode(chunk).includes("listening")) break;
  expect(await server.stop()).toBe(0); // long before the grace is over
  following.kill("SIGINT"); // it would wait for the next server
  await following.exited;
});

test("a second server on the same data names the first", async () => {
  await using user = await createUser();
  const dataFolder = join(user.path, "data");
  await using server = await startServe(user, { dataFolder });
  const { code, stderr } = await user.run(["serve", "--port", "0", "--gateway-port", "0", "--data-dir", dataFolder]);
  expect(code).toBe(10);
  expect(stderr).toContain(`process ${server.pid}`);
});

test("a port in use is named before anything is written", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  for (const [flag, port] of [
    ["--port", new URL(server.api).port],
    ["--gateway-port", new URL(server.gateway).port],
  ] as const) {
    const other = flag === "--port" ? "--gateway-port" : "--port";
    const { code, stderr } = await user.run([
      "serve",
      flag,
      port,
      other,
      "0",
      "--data-dir",
      join(user.path, `other${flag}`),
    ]);
    expect(code).toBe(10);
    expect(stderr).toContain("in use by another program");
    expect(stderr).toContain(port);
    expect(stderr).toContain(flag);
    expect(existsSync(join(user.path, `other${flag}`, "pglite"))).toBe(false);
  }
});

test("login keeps the token for its server, readable by its owner only", async () => {
  await using user = await createUser();
  const token = "a-token-of-some-length-0123456789";
  await using server = await startServe(user, { env: { AETHER_API_TOKENS: `${token}:admin:ada` } });
  const refused = await user.run(["list", "--server", server.api]);
  expect(refused.code).toBe(10);
  expect(refused.stderr).toContain("aether login");
  const wrong = await user.run(["login", "--server", server.api, "--token-stdin"], { stdin: "wrong-token-0123456789" });
  expect(wrong.code).toBe(10);
  const { code, stderr } = await user.run(["login", "--server", server.api, "--token-stdin"], { stdin: `${token}\n` });
  expect(stderr).not.toContain(token);
  expect(code).toBe(0);
  expect((await runJson(user, ["list"])).json).toEqual({ apps: [] });
  const { code: deployed, json } = await runJson(user, ["deploy", await shop(user)]);
  expect(json).toMatchObject({ status: "running" });
  expect(deployed).toBe(0);
  await server.stop();
  expect(await server.log).not.toContain(token);
});
