import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runScript } from "../../src/agent/run-script.ts";
import { freePort } from "../harness/agent.ts";
import type { Files } from "../harness/artifact-store.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";
import { tier } from "../harness/tier.ts";
import { abrupt, answering } from "../harness/tiny-apps.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Runs an application as the main container does, below `wrapper` (nothing, or a namespace of its own). */
async function runApp(start: string, files: Files, wrapper: string[] = []) {
  const folder = await temporaryFolder();
  const workspace = join(folder.path, "it's a place");
  const app = join(workspace, "app");
  await mkdir(app, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(app, name), text);
  await writeFile(join(workspace, ".aether-start"), start);
  await writeFile(join(workspace, ".aether-run"), runScript(workspace));
  const port = await freePort();
  const env = { PATH: process.env.PATH ?? "", PORT: String(port) };
  const child = Bun.spawn([...wrapper, "/bin/sh", join(workspace, ".aether-run")], {
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  return {
    child,
    get: (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } }).then((answer) => answer.text()),
    answering: () =>
      waitFor("the application", () =>
        fetch(`http://127.0.0.1:${port}/`).then(
          (answer) => answer.ok,
          () => false,
        ),
      ),
    async [Symbol.asyncDispose]() {
      child.kill(wrapper.length > 0 ? "SIGKILL" : "SIGTERM"); // unshare takes its process 1 and all below with it
      await child.exited;
      await folder[Symbol.asyncDispose]();
    },
  };
}

test.each(["node server.js", "exec node server.js", "true && GREETING=1 node server.js", "node server.js; exit $?"])(
  "`%s` gets SIGTERM, finishes what it is doing and ends with its own code",
  async (start) => {
    await using app = await runApp(start, answering("hello"));
    await app.answering();
    const slow = app.get("/slow/500");
    await app.get("/"); // the slow one has arrived before it
    app.child.kill("SIGTERM");
    expect(await slow).toBe("hello");
    expect(await app.child.exited).toBe(0);
  },
);

test("an application that does not listen to SIGTERM ends by it, which is code 143", async () => {
  await using app = await runApp("node server.js", abrupt("hello"));
  await app.answering();
  app.child.kill("SIGTERM");
  expect(await app.child.exited).toBe(143);
});

test.each([
  ["exit 7", 7],
  ["node -e 'process.exit(3)'", 3],
  ["kill -KILL $$", 137],
  ["no-such-program", 127],
])("`%s` ends with %d", async (start, code) => {
  await using app = await runApp(start, {});
  expect(await app.child.exited).toBe(code);
});

test("an application has its own folder, its tools on PATH, and NODE_ENV", async () => {
  await using app = await runApp("node server.js", answering("hello"));
  await app.answering();
  const env = JSON.parse(await app.get("/env"));
  expect([env.NODE_ENV, env.PATH.split(":")[0]]).toEqual(["production", join(env.PWD, "node_modules/.bin")]);
});

const namespaces = tier("pid-namespace", () =>
  process.platform === "linux" && process.getuid?.() === 0 && Bun.which("unshare")
    ? undefined
    : "a process namespace of its own needs root on Linux and unshare",
);

test.if(namespaces.available)("as process 1 it hands on signals and reaps what others left", async () => {
  const zombies = `setInterval(() => {
    const { readdirSync, readFileSync, writeFileSync } = require("fs");
    const stats = readdirSync("/proc").filter(Number).map((pid) => { try { return readFileSync("/proc/" + pid + "/stat", "utf8") } catch { return "" } });
    console.log(stats.filter((stat) => stat.includes(") Z ")).length + " zombies of " + stats.length);
    writeFileSync("go", "");
  }, 50);`;
  const files = { "server.js": `${answering("hello")["server.js"]}${zombies}` };
  const unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const orphan = "(sh -c 'until [ -e go ]; do sleep 0.02; done' & true)"; // its parent is gone, and it waits to be seen
  await using app = await runApp(`${orphan}; node server.js`, files, unshare);
  let said = "";
  const reading = (async () => {
    for await (const text of app.child.stdout.pipeThrough(new TextDecoderStream() as ReadableWritablePair))
      said += text;
  })();
  // sh, sh, node; and at first the orphan, perhaps with its sleep
  await waitFor("the orphan to be gone without a trace", () => said.includes("0 zombies of 3\n"));
  expect(said).toMatch(/zombies of [45]\n/);
  app.child.kill("SIGKILL");
  await reading;
});
