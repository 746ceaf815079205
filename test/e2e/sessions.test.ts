import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { binary, createUser, runJson, startServe, type User } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { longKubernetesTier } from "../harness/kubernetes.ts";
import { createKubernetesServer } from "../harness/kubernetes-server.ts";
import { packageJson } from "../harness/project.ts";
import { openTerminal } from "../harness/terminal.ts";
import { waitFor } from "../harness/wait-for.ts";

const server = `
const { createServer } = require("node:http");
createServer((request, response) => {
  if (request.method === "POST") return request.pipe(response);
  response.end("hello " + process.env.COLOR);
}).listen(process.env.PORT);`;

const files = {
  "package.json": packageJson("shop"),
  "server.js": server,
};

async function start(opened: { user: User; env: Record<string, string>; close: () => Promise<void> }) {
  const { user, env, close } = opened;
  const cwd = await writeFiles(join(user.path, "shop"), files);
  const options = { env, cwd };
  const json = (args: string[]) => runJson(user, args, options);
  const first = await json(["deploy"]);
  expect(first.stderr).not.toContain("[error]");
  await json(["env", "set", "COLOR=red"]);
  const replicas = async () => (await json(["status"])).json.running?.replicas as { name: string; state: string }[];
  return {
    user,
    env,
    cwd,
    json,
    replicas,
    run: (args: string[], stdin?: string) => user.run(args, { ...options, ...(stdin === undefined ? {} : { stdin }) }),
    spawn: (args: string[], stdin: Blob | "pipe" = new Blob([])) =>
      Bun.spawn([binary, ...args], { cwd, env: { ...user.env, ...env }, stdin, stdout: "pipe", stderr: "pipe" }),
    terminal: (args: string[]) => openTerminal(user, args, { env, cwd }),
    [Symbol.asyncDispose]: close,
  };
}

async function startLocal() {
  const user = await createUser();
  const platform = await startServe(user);
  const close = async () => {
    await platform.stop();
    await user[Symbol.asyncDispose]();
  };
  return { ...(await start({ user, env: { AETHER_API_BASE: platform.api }, close })), runsLeft: async () => 0 };
}

async function startOnKubernetes() {
  const platform = await createKubernetesServer();
  const { user, client: env, cluster, namespace } = platform;
  const shop = await start({ user, env, close: () => platform[Symbol.asyncDispose]() });
  const labelSelector = "aether.dev/process=run";
  const runsLeft = async () => (await cluster.list({ kind: "Pod", namespace, labelSelector })).items.length;
  return { ...shop, runsLeft };
}

const kubernetes = longKubernetesTier();
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const mebibytes = (count: number): Uint8Array<ArrayBuffer> => Uint8Array.from(randomBytes(count * 1024 ** 2));

const echo = ["node", "-e", "process.stdin.pipe(process.stdout)"];

describe.each([
  { where: "on this machine", open: startLocal, isThere: true },
  { where: "on a real cluster", open: startOnKubernetes, isThere: kubernetes.available },
])("$where", ({ open, isThere }) => {
  const testThere = test.skipIf(!isThere);
  let shop: Awaited<ReturnType<typeof startOnKubernetes>>;
  beforeAll(async () => {
    if (isThere) shop = await open();
  }, 180_000);
  afterAll(() => shop?.[Symbol.asyncDispose](), 60_000);
  // What a test stopped or started again is there before the next.
  beforeEach(async () => {
    if (!isThere) return;
    await shop.json(["scale", "shop", "1"]);
    await waitFor("one replica that runs", async () => (await shop.replicas())?.length === 1, {
      withinMs: 60_000,
      everyMs: 200,
    });
  }, 90_000);

  testThere(
    "a command runs beside the application, as if it were run here",
    async () => {
      const script = `cat; echo "$COLOR in $(pwd)"; echo bad >&2; env >&2; exit 7`;
      const ran = await shop.run(["exec", "shop", "--", "sh", "-c", script], "héllo\n");
      expect(ran.code).toBe(7);
      expect(ran.stdout).toMatch(/^héllo\nred in \/.*\n$/);
      expect(ran.stderr).toStartWith("bad\n");
      expect(ran.stderr).not.toMatch(/AETHER_(?!SESSION)|KUBECONFIG|DATABASE_URL/);

      expect(await shop.run(["exec", "--", "sh", "-c", "kill -TERM $$"])).toMatchObject({ code: 143 });
      const missing = await shop.run(["exec", "--", "no-such-program"]);
      expect(missing).toMatchObject({ code: 127, stderr: expect.stringContaining("no-such-program") });
      const { json: audit } = await shop.json(["audit", "--app", "shop"]);
      const told = JSON.stringify(audit);
      expect(told).toContain('"app.exec"');
      expect(told).toContain('"program":"no-such-program"');
      expect(told).toContain('"exit_code":127');
      expect(told).not.toContain("echo bad");
    },
    120_000,
  );

  testThere(
    "ten megabytes go in and come out as they were",
    async () => {
      const bytes = mebibytes(10);
      const child = shop.spawn(["exec", "--", ...echo], new Blob([bytes]));
      const [stdout, stderr, code] = await Promise.all([
        new Response(child.stdout).bytes(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      expect({ code, stderr, bytes: stdout.length, hash: sha256(stdout) }).toEqual({
        code: 0,
        stderr: "",
        bytes: bytes.length,
        hash: sha256(bytes),
      });
    },
    120_000,
  );

  testThere(
    "a terminal is the program's, keys and size and all",
    async () => {
      await using terminal = shop.terminal(["exec", "-t", "--", "sh"]);
      await waitFor("a prompt", () => /[#$] $/.test(terminal.text()), { withinMs: 20_000 });
      terminal.type("stty size; echo is=$((40+2))\r");
      await terminal.shows("30 100");
      await terminal.shows("is=42");
      terminal.resize(120, 40);
      const asked = async () => {
        terminal.type("stty size\r"); // seldom: what a shell has not read yet is soon more than a terminal keeps
        return terminal.text().includes("40 120");
      };
      await waitFor("the other size", asked, { everyMs: 500 });
      terminal.type("echo begin=$((3*3)); sleep 1000; echo over\r");
      await terminal.shows("begin=9");
      terminal.type("\x03");
      terminal.type("echo after=$((1+1))\r");
      await terminal.shows("after=2");
      terminal.type("exit 5\r");
      expect(await terminal.exited).toBe(5);
    },
    120_000,
  );

  testThere(
    "Ctrl-C ends the command here and there",
    async () => {
      const child = shop.spawn(["exec", "--", "sh", "-c", "echo started; sleep 4242 & wait"], "pipe");
      const reader = child.stdout.getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe("started\n");
      // The brackets keep it from finding itself.
      const find = ["exec", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 424[2]'"];
      expect(Number((await shop.run(find)).stdout)).toBeGreaterThan(0);
      child.kill("SIGINT");
      expect(await child.exited).toBe(130);
      await waitFor("the sleep to end", async () => Number((await shop.run(find)).stdout) === 0, { everyMs: 300 });
    },
    120_000,
  );

  testThere(
    "a command that runs once has the release and its variables, is no replica, and leaves nothing",
    async () => {
      const child = shop.spawn(["run", "--", "sh", "-c", 'echo "$COLOR"; read go; exit 3'], "pipe");
      const reader = child.stdout.getReader();
      let text = "";
      while (!text.includes("red")) text += new TextDecoder().decode((await reader.read()).value);
      expect(text).toBe("red\n");
      expect(await shop.replicas()).toHaveLength(1);
      if (typeof child.stdin !== "object") throw new Error("The command has no pipe for its input.");
      child.stdin.write("go\n");
      child.stdin.end();
      expect(await child.exited).toBe(3);
      await waitFor("its pod to go", async () => (await shop.runsLeft()) === 0, { withinMs: 30_000 });

      const killed = shop.spawn(["run", "--", "sh", "-c", "echo started; sleep 1000"], "pipe");
      await killed.stdout.getReader().read();
      killed.kill("SIGKILL");
      await waitFor("the pod of a client that died to go", async () => (await shop.runsLeft()) === 0, {
        withinMs: 40_000,
      });

      await shop.json(["scale", "shop", "0"]);
      const none = await shop.run(["exec", "--", "true"]);
      expect(none).toMatchObject({ code: 20, stderr: expect.stringContaining("scaled to 0") });
      expect(await shop.run(["run", "--", "sh", "-c", "echo $COLOR"])).toMatchObject({ code: 0, stdout: "red\n" });
    },
    180_000,
  );

  testThere(
    "a port of the application is reached here, by twenty at once, and by 20 MB",
    async () => {
      const child = shop.spawn(["port-forward", "--json"]);
      const { value } = await child.stdout.getReader().read();
      const { url, host } = JSON.parse(new TextDecoder().decode(value));
      expect(host).toBe("127.0.0.1");
      const answers = await Promise.all(
        Array.from({ length: 20 }, async () => (await fetch(url, { headers: { connection: "close" } })).text()),
      );
      expect(answers).toEqual(Array.from({ length: 20 }, () => "hello red"));
      const bytes = mebibytes(20);
      const back = await (await fetch(url, { method: "POST", body: bytes })).bytes();
      expect(sha256(back)).toBe(sha256(bytes));

      await shop.json(["restart"]);
      await waitFor("an answer of the next replica", async () => {
        const answer = await fetch(url, { headers: { connection: "close" } }).catch(() => undefined);
        return (await answer?.text()) === "hello red";
      });
      child.kill("SIGINT");
      expect(await child.exited).toBe(0);
      expect(await fetch(url).catch(() => "refused")).toBe("refused");
    },
    180_000,
  );

  testThere(
    "what cannot be is said, with what to do",
    async () => {
      const [replica] = await shop.replicas();
      expect(await shop.run(["exec", "--replica", "ghost", "--", "true"])).toMatchObject({
        code: 20,
        stderr: expect.stringContaining(replica?.name ?? "nobody"),
      });
      expect(await shop.run(["exec", "--replica", replica?.name ?? "", "--", "true"])).toMatchObject({ code: 0 });
      expect(await shop.run(["exec", "ghost", "--", "true"])).toMatchObject({
        code: 20,
        stderr: expect.stringContaining('There is no app "ghost"'),
      });
      expect(await shop.run(["exec", "shop", "true"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("behind two dashes"),
      });
      expect(await shop.run(["run", "shop"])).toMatchObject({ code: 2 });
      expect(await shop.run(["exec", "-t", "--", "true"])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("no terminal here"),
      });
      expect(await shop.run(["port-forward", "shop", "0"])).toMatchObject({ code: 2 });
      const busy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("mine") });
      const taken = await shop.run(["port-forward", "shop", `${busy.port}:3000`]);
      expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining("is in use by another program") });
      await busy.stop(true);
    },
    120_000,
  );
});
