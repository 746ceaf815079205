import { expect, test } from "bun:test";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { flakyProxy } from "../harness/flaky-proxy.ts";
import { heavyApp } from "../harness/heavy-app.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

test("an upload that is cut in the middle is tried again and succeeds", async () => {
  await using user = await createUser();
  let port = 0;
  await using proxy = await flakyProxy(() => port, { cutAfterBytes: [1_000_000, 2_500_000] });
  // Signed URLs carry the public address: uploads pass through the proxy, the command's other calls go straight.
  await using server = await startServe(user, { env: { AETHER_PUBLIC_URL: `http://127.0.0.1:${proxy.port}` } });
  port = server.port;
  const { code, json, stderr } = await runJson(user, [
    "deploy",
    await heavyApp(user, 4),
    "--server",
    `http://127.0.0.1:${port}`,
  ]);
  expect(code === 0 ? "" : stderr).toBe("");
  expect(proxy.cuts()).toBe(2);
  expect(stderr).toContain("Trying again");
  expect(json).toMatchObject({ status: "running", uploaded_bytes: json.size_bytes });
});

test("parts that are cut are sent again, finished ones are not", async () => {
  await using user = await createUser();
  let port = 0;
  await using proxy = await flakyProxy(() => port, { cutAfterBytes: [3_000_000, 4_000_000] });
  await using server = await startServe(user, {
    env: {
      AETHER_PUBLIC_URL: `http://127.0.0.1:${proxy.port}`,
      AETHER_MULTIPART_THRESHOLD_BYTES: "1000000",
      AETHER_MULTIPART_PART_SIZE_BYTES: "5242880",
    },
  });
  port = server.port;
  const { code, json, stderr } = await runJson(user, [
    "deploy",
    await heavyApp(user, 18),
    "--server",
    `http://127.0.0.1:${port}`,
  ]);
  expect(code === 0 ? "" : stderr).toBe("");
  expect(proxy.cuts()).toBe(2);
  expect(json).toMatchObject({ status: "running" });
});

test("a server that cannot be reached ends with 40 and says where it was looked for", async () => {
  await using user = await createUser();
  const folder = await writeFiles(join(user.path, "x"), {
    "package.json": packageJson("x"),
    "server.js": answering("x"),
  });
  const { code, json } = await runJson(user, ["deploy", folder, "--server", "http://127.0.0.1:1"]);
  expect(code).toBe(40);
  expect(json).toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("http://127.0.0.1:1"),
    hint: expect.stringContaining("aether serve"),
  });
});

test("Ctrl-C in the middle of an upload ends with 130, and the next deploy succeeds", async () => {
  await using user = await createUser();
  let port = 0;
  await using stuck = await flakyProxy(() => port, {});
  await using server = await startServe(user, { env: { AETHER_PUBLIC_URL: `http://127.0.0.1:${stuck.port}` } });
  const api = `http://127.0.0.1:${server.port}`;
  const sink = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }); // takes bytes and never answers
  port = sink.port;
  const folder = await heavyApp(user, 3);
  const deploying = user.spawn(["deploy", folder, "--server", api]);
  let story = "";
  for await (const chunk of deploying.stderr) {
    story += new TextDecoder().decode(chunk);
    if (story.includes("Packed")) deploying.kill("SIGINT");
  }
  expect(await deploying.exited).toBe(130);
  sink.stop(true);
  port = Number(new URL(api).port);
  expect((await runJson(user, ["deploy", folder, "--server", api])).json).toMatchObject({ status: "running" });
});

test.each([[["list"]], [["status", "shop"]], [["logs", "shop"]], [["logs", "shop", "-f"]]])(
  "aether %p at a web server that is not aether's ends with 40 and names --server",
  async (args) => {
    await using user = await createUser();
    const page = () => new Response("<h1>It works</h1>", { headers: { "content-type": "text/html" } });
    await using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: page });
    const { code, stdout, stderr } = await user.run([...args, "--server", `http://127.0.0.1:${other.port}`]);
    expect({ code, stdout }).toEqual({ code: 40, stdout: "" });
    expect(stderr).toContain("is not an aether server");
    expect(stderr).toContain("--server");
  },
);

test("following goes on when the server is started again, with nothing twice", async () => {
  await using user = await createUser();
  const dataFolder = join(user.path, "data");
  const first = await startServe(user, { dataFolder });
  const to = ["--server", first.api];
  const folder = await writeFiles(join(user.path, "told"), {
    "package.json": packageJson("told"),
    "server.js": `console.log("hello " + process.hrtime.bigint());\n${answering("told")}`,
  });
  expect((await user.run(["deploy", folder, ...to])).code).toBe(0);
  const following = user.spawn(["logs", "told", "-f", ...to]);
  let told = "";
  const reading = (async () => {
    for await (const chunk of following.stdout) told += new TextDecoder().decode(chunk);
  })();
  const hellos = () => told.match(/^hello \d+$/gm) ?? [];
  await waitFor("the first run", () => hellos().length === 1);
  await first.stop();
  await using _second = await startServe(user, { dataFolder, args: ["--port", String(first.port)] });
  await waitFor("the next run", () => hellos().length === 2, { withinMs: 30_000 });
  following.kill("SIGINT");
  expect(await following.exited).toBe(0);
  await reading;
  expect(new Set(hellos()).size).toBe(2);
  const story = await new Response(following.stderr).text();
  expect(story).toMatch(/Trying again\./);
  expect(story).not.toContain("verbose");
  expect(story).not.toContain("ECONNRESET");
});
