import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

test("aether --help teaches every command", async () => {
  await using user = await createUser();
  const { code, stdout, stderr } = await user.run(["--help"]);
  expect(code).toBe(0);
  expect(stderr).toBe("");
  for (const name of ["serve", "deploy", "list", "status", "logs", "login", "completions", "version"]) {
    expect(stdout).toContain(`  ${name} `);
    const help = await user.run([name, "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("EXAMPLES");
    expect(help.stdout).toContain("--json");
  }
});

test.each([
  [["deplyo"], 2, 'There is no command "deplyo".', 'Did you mean "deploy"?'],
  [["--wat"], 2, 'There is no flag "--wat".', "aether --help"],
  [["list", "--sever", "x"], 2, 'Unknown flag "--sever".', 'Did you mean "--server"?'],
  [["list", "--server", "not a url"], 2, '"--server" cannot be "not a url"', "Use a URL"],
  [["list", "--token", "a\nb"], 2, '"--token" holds what no token can', "--token-stdin"],
  [["list", "--server", "http://127.0.0.1:1"], 40, "cannot be reached", "aether serve"],
  [["logs", "shop", "--since", "yesterday"], 2, "neither a duration nor a time", "Use 30s"],
  [["logs", "shop", "--tail", "many"], 2, '"--tail" cannot be "many": it takes a whole number', "--tail 100"],
  [["logs", "shop", "--tail", "-1"], 2, '"--tail" cannot be "-1"', "--tail 100"],
  [["audit", "--limit", "x"], 2, '"--limit" cannot be "x": it takes a whole number from 1 to 1000.', "--limit 50"],
  [["audit", "--action", "foo"], 2, '"--action" cannot be "foo"', "deployment.failed"],
  [["audit", "--subject", "a b"], 2, '"--subject" cannot be "a b"', "aether audit"],
  [["apps", "set", "x", "--max-total-bytes", "10XB"], 2, '"--max-total-bytes" cannot be "10XB"', "10GB"],
  [["apps", "set", "x", "--max-artifacts", "9999999999"], 2, "from 0 to 2147483647", "--max-artifacts 50"],
  [["apps", "set", "x", "--retain-latest", "0"], 2, '"--retain-latest" cannot be "0"', "--retain-latest 5"],
  [["apps", "set", "x", "--retain-max-age-secs", "0s"], 2, '"--retain-max-age-secs" cannot be "0"', "30d"],
  [["tokens", "create", "", "--role", "reader"], 2, "1 to 100 printable characters", "tokens create ci"],
  [["tokens", "create", "ci", "--role", "boss"], 2, "it takes admin, deployer or reader", "--role admin"],
  [["tokens", "create", "ci", "--role", "reader", "--apps", "a_b,x"], 2, '"--apps" cannot be "a_b"', "such as shop"],
  [["tokens", "create", "ci", "--role", "reader", "--expires-in", "0s"], 2, "a duration from 1s to 3650d", "90d"],
  [["tokens", "rotate", "id", "--overlap", "31d"], 2, '"--overlap" cannot be "31d"', "--overlap 2h"],
  [["webhooks", "create", "nope"], 2, 'The URL cannot be "nope": it is not a URL.', "https://ci"],
  [["webhooks", "create", "https://u:p@x.example"], 2, "https://…@x.example", "https://ci"],
  [["webhooks", "create", "https://x.example", "--events", "deploymet.failed"], 2, '"--events"', '"deployment.failed"'],
  [["keys", "add", "zz", "--app", "x"], 2, "The public key cannot be what was given", "keys generate"],
  [["artifacts", "show", "abc"], 2, 'The digest cannot be "abc"', "aether artifacts list"],
  [["deploy", "--compression-level", "13"], 2, "it takes a whole number from 1 to 12", "--compression-level 6"],
  [["status"], 2, "Which app?", "Name it"],
  [["completions", "tcsh"], 2, 'There are no completions for "tcsh".', "bash"],
  [["serve", "--port", "http"], 2, '"--port" cannot be "http": it takes a whole number from 0 to 65535.', "8080"],
  [["serve", "--gateway-port", "65536"], 2, '"--gateway-port" cannot be "65536"', "8080"],
  [["status", "--app", "Foo_Bar"], 2, '"--app" cannot be "Foo_Bar"', "such as shop"],
  [["status", "Foo_Bar"], 2, "Foo_Bar", "such as shop"],
  [["deploy", "--app", "a_b"], 2, '"--app" cannot be "a_b"', "such as shop"],
])("aether %p ends with %d and one sentence that says what to do", async (args, exit, message, hint) => {
  await using user = await createUser();
  const { code, stdout, stderr } = await user.run(args);
  expect(code).toBe(exit);
  expect(stdout).toBe("");
  expect(stderr).toContain(message);
  if (hint !== undefined) expect(stderr).toContain(hint);
  expect(stderr).not.toContain("    at "); // no stack for what a person can mend
});

test("with --json a failure is one JSON object on stdout", async () => {
  await using user = await createUser();
  const { code, json } = await runJson(user, ["list", "--server", "http://127.0.0.1:1"]);
  expect(code).toBe(40);
  expect(json).toMatchObject({ code: "unreachable", message: expect.stringContaining("cannot be reached") });
});

test("without a terminal there are no colours and no progress bars", async () => {
  await using user = await createUser();
  const { stderr } = await user.run(["list", "--server", "http://127.0.0.1:1"], { env: { FORCE_COLOR: "1" } });
  expect(stderr).not.toContain("\u001b[");
});

test("the version carries the commit", async () => {
  await using user = await createUser();
  const { json } = await runJson(user, ["version"]);
  expect(json.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(json.commit).toMatch(/^[0-9a-f]{12}(-dirty)?$|^unknown$/);
});

test.each(["bash", "zsh", "fish"])(
  "the %s completions are a script of that shell, with every command",
  async (shell) => {
    await using user = await createUser();
    const { code, stdout } = await user.run(["completions", shell]);
    expect(code).toBe(0);
    for (const word of ["deploy", "status", "dry-run"]) expect(stdout).toContain(word);
    const found = Bun.which(shell);
    if (found !== null) {
      const check = Bun.spawnSync([found, "-n"], { stdin: new Blob([stdout]) });
      expect(check.stderr.toString()).toBe("");
      expect(check.exitCode).toBe(0);
    }
  },
);

test("a .env file where one stands does not configure aether", async () => {
  await using user = await createUser();
  await Bun.write(`${user.path}/.env`, "AETHER_API_BASE=http://127.0.0.1:2\n");
  const { stderr } = await user.run(["list", "--json"]);
  expect(stderr).not.toContain("http://127.0.0.1:2 ");
});

test.each([["/proc/nope"], ["file"], ["file/inside"]])(
  "a folder cannot be made at %s, and that is no bug",
  async (path) => {
    await using user = await createUser();
    await Bun.write(join(user.path, "file"), "");
    const app = { "package.json": packageJson("x"), "server.js": answering("x") };
    const project = await writeFiles(join(user.path, "x"), app);
    const serve = ["serve", "--port", "0", "--gateway-port", "0", "--data-dir", path];
    for (const args of [["deploy", project, "--pack-only", "--out", path], serve]) {
      const { code, stderr } = await user.run(args);
      expect(code === 30 ? "" : stderr).toBe("");
      expect(stderr).toContain("Cannot ");
      expect(stderr).toContain(path);
      expect(stderr).not.toContain("    at ");
    }
  },
);

test("stdout carries the answer of a deploy: the address, or where the artifact lies", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const app = { "package.json": packageJson("x"), "server.js": answering("x") };
  const project = await writeFiles(join(user.path, "x"), app);
  const to = ["--server", server.api];
  const url = `http://x.localhost:${new URL(server.gateway).port}`;
  expect(await user.run(["deploy", project, "-q", ...to])).toMatchObject({ code: 0, stdout: `${url}\n`, stderr: "" });
  expect(await user.run(["deploy", project, ...to])).toMatchObject({ code: 0, stdout: `${url}\n` });
  for (const flags of [["--pack-only"], ["--no-upload"], ["--dry-run", "--out", "kept"]]) {
    const { stdout } = await user.run(["deploy", project, "-q", ...flags]);
    expect(stdout).toEndWith(".tar.gz\n");
    expect(existsSync(stdout.trim())).toBe(true);
  }
  const dry = await user.run(["deploy", project, "--dry-run"]);
  expect(dry.stdout).toBe("");
  expect(dry.stderr).toContain("dry run: nothing was uploaded");
});

test("--detach tells where the release will answer", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const app = { "package.json": packageJson("x"), "server.js": answering("x") };
  const args = ["deploy", await writeFiles(join(user.path, "x"), app), "--detach", "--server", server.api];
  const { json } = await runJson(user, args);
  expect(json.url).toBe(`http://x.localhost:${new URL(server.gateway).port}`);
});

test("an app that is deleted while its release is waited for ends the deploy with that", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const app = { "package.json": packageJson("slow"), "server.js": "setInterval(() => {}, 1000);" }; // never answers
  const to = ["--server", server.api];
  const deploying = runJson(user, ["deploy", await writeFiles(join(user.path, "slow"), app), ...to]);
  await waitFor("the deployment to be recorded", async () =>
    (await user.run(["status", "slow", ...to])).stdout.includes("on its way"),
  );
  expect(await user.run(["apps", "delete", "slow", "--yes", ...to])).toMatchObject({ code: 0 });
  const { code, json, stderr } = await deploying;
  expect({ code, json }).toMatchObject({ code: 20, json: { code: "not_found", app: "slow", version: 1 } });
  expect(stderr).toContain('The app "slow" was deleted while it was deployed.');
  expect((await runJson(user, ["apps", "list", ...to])).json.apps).toEqual([]);
});

test("Ctrl-C while a release is waited for says that it goes on", async () => {
  await using user = await createUser();
  await using server = await startServe(user);
  const app = { "package.json": packageJson("slow"), "server.js": "setInterval(() => {}, 1000);" }; // never answers
  const args = ["deploy", await writeFiles(join(user.path, "slow"), app), "--server", server.api];
  const deploying = user.spawn([...args, "--json"]);
  const answer = new Response(deploying.stdout).json();
  let story = "";
  for await (const chunk of deploying.stderr) {
    story += new TextDecoder().decode(chunk);
    if (story.includes("Uploaded") && !story.includes("Interrupted")) await interruptOncePending();
  }
  expect(await deploying.exited).toBe(130);
  expect(story).toContain("v1 of slow is released without you; aether status slow shows it");
  expect(await answer).toMatchObject({
    code: "interrupted",
    message: "Interrupted.",
    artifact: expect.stringContaining(".tar.gz"),
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    deployment_id: expect.any(String),
    timings: { total_ms: expect.any(Number) },
  });

  async function interruptOncePending(): Promise<void> {
    await waitFor("the deployment to be recorded", async () => {
      const { stdout } = await user.run(["status", "slow", "--server", server.api]);
      return stdout.includes("on its way");
    });
    deploying.kill("SIGINT");
  }
});

test.each([
  [
    ["deploy", ""],
    ["inner", "my app"],
  ],
  [
    ["deploy", "--format", ""],
    ["text", "json"],
  ],
  [["deploy", "--out", "in"], ["inner"]],
  [
    ["logs", "-"],
    ["--follow", "-f", "-q", "-h", "--json"],
  ],
  [
    ["completions", ""],
    ["bash", "zsh", "fish"],
  ],
  [
    ["list", ""],
    ["--server", "--json"],
  ],
  [["help", "dep"], ["deploy"]],
  [["h"], ["help"]],
])("bash completes aether %p", async (words, expected) => {
  await using user = await createUser();
  const folder = await writeFiles(join(user.path, "here"), { "inner/file": "", "my app/file": "", file: "" });
  const { stdout: script } = await user.run(["completions", "bash"]);
  const line = ["aether", ...words].map((word) => `'${word}'`).join(" ");
  const asking = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _aether; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = Bun.spawnSync(["bash", "-c", `${script}\n${asking}`], { cwd: folder });
  expect(stderr.toString()).toBe("");
  const found = stdout.toString().trim().split("\n");
  expect(found).toEqual(expect.arrayContaining(expected));
  expect(found).not.toContain("file");
});
