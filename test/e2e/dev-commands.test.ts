import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { runJson } from "../harness/binary.ts";
import { snapshotOf, writeFiles } from "../harness/files.ts";
import { type OpenPlatform, onEachRuntime } from "../harness/platform.ts";
import { answering, packageJson } from "../harness/project.ts";
import { waitFor } from "../harness/wait-for.ts";

const sample = join(import.meta.dir, "..", "..", "examples", "sample-node");

const contentOf = async (folder: string) =>
  Object.entries(await snapshotOf(folder)).map(([path, content]) => [relative(folder, path), content]);

/** An app of two replicas that was deployed dev-hot and answers v1. */
async function startShop(open: OpenPlatform) {
  const platform = await open();
  const { user, client: env } = platform;
  const folder = await writeFiles(join(user.path, "shop"), {
    "package.json": packageJson("shop"),
    "server.js": answering("v1"),
    "aether.json": JSON.stringify({ replicas: 2 }),
  });
  const json = (args: string[]) => runJson(user, args, { env });
  const first = await json(["deploy", folder, "--dev-hot"]);
  expect(first.stderr).not.toContain("[error]");
  return {
    ...platform,
    json,
    first: first.json.digest as string,
    run: (args: string[]) => user.run(args, { env }),
    replicas: async () => (await json(["dev", "hot-status", "shop"])).json.replicas as Shown[],
    /** Stores other code, and deploys nothing. */
    async upload(source: string) {
      await writeFile(join(folder, "server.js"), source);
      const { code, stdout, stderr } = await user.run(["dev", "hot-upload", "shop", folder], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("[error]") });
      expect(stdout).toMatch(/^digest=[0-9a-f]{64}\nurl=http\S+\n$/);
      const [digest = "", url = ""] = stdout.split("\n").map((line) => line.slice(line.indexOf("=") + 1));
      return { digest, url };
    },
    /** Ten answers in a row: both replicas are asked. */
    answers: async () => {
      const said = Array.from({ length: 10 }, async () => (await platform.ask("shop")).text());
      return [...new Set(await Promise.all(said))];
    },
  };
}

interface Shown {
  name: string;
  digest: string;
  version: number;
  fetched_at: string;
}

const loaded = (replicas: Shown[]) => replicas.map(({ digest, version }) => ({ digest, version }));

onEachRuntime((open, runtime) => {
  test("the sample is written and runs, and what a person changed of it stays (ENV-D1)", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    const cwd = join(user.path, "somewhere");
    await mkdir(cwd);
    const first = await runJson(user, ["dev", "deploy-sample", "hello"], { cwd, env });
    expect(first).toMatchObject({
      code: 0,
      json: { app: "hello", status: "running", version: 1, url: expect.stringMatching(platform.urlOf("hello")) },
    });
    const written = join(cwd, "examples", "sample-node");
    expect(await contentOf(written)).toEqual(await contentOf(sample));
    expect(await (await platform.ask("hello", "/api/counter")).json()).toMatchObject({ count: 0 });

    await writeFile(join(written, "index.html"), "mine");
    const again = await user.run(["dev", "deploy-sample", "hello"], { cwd, env });
    expect(again.stderr).toContain("examples/sample-node is there already, and stays as it is");
    expect(again.stdout.trim()).toMatch(platform.urlOf("hello"));
    expect(await readFile(join(written, "index.html"), "utf8")).toBe("mine");
    await waitFor("the changed page", async () => (await (await platform.ask("hello")).text()) === "mine");

    const other = await runJson(user, ["dev", "deploy-sample", "other", written], { cwd: user.path, env });
    expect(other.json).toMatchObject({
      app: "other",
      status: "running",
      digest: expect.not.stringMatching(first.json.digest),
    });
    expect(await (await platform.ask("other")).text()).toBe("mine");
  }, 180_000);

  test("uploaded code is loaded into what runs, is seen there, and is taken back (ENV-D2, ENV-3, ENV-4)", async () => {
    await using shop = await startShop(open);
    const before = await shop.replicas();
    expect(before).toHaveLength(2);

    const { digest, url } = await shop.upload(answering("v2"));
    const stored = await fetch(url, { headers: authorization(shop.client) });
    expect(
      createHash("sha256")
        .update(await stored.bytes())
        .digest("hex"),
    ).toBe(digest);
    expect(await shop.replicas()).toEqual(before);
    expect(await shop.answers()).toEqual(["v1"]);

    const patched = await shop.json(["dev", "hot-patch", "shop", `sha256:${digest}`]);
    expect(patched).toMatchObject({ code: 0, json: { app: "shop", digest, version: 2, status: "running" } });
    await waitFor("both replicas", async () => (await shop.answers()).join() === "v2");
    const after = await shop.replicas();
    expect(loaded(after)).toEqual([
      { digest, version: 2 },
      { digest, version: 2 },
    ]);
    for (const [index, { fetched_at }] of after.entries()) {
      expect(Date.parse(fetched_at)).toBeGreaterThan(Date.parse(before[index]?.fetched_at ?? ""));
    }
    expect((await shop.run(["dev", "hot-status", "shop"])).stdout).toContain(
      `shop: ${digest} is in force (v2); 2 of 2 replicas run it`,
    );
    if (runtime === "kubernetes") {
      expect(after.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
      const { stdout } = await shop.run(["logs", "shop", "--container", "fetcher"]);
      expect(stdout.split("\n").filter((line) => line.includes(`[fetcher] new digest ${digest}`))).toHaveLength(2);
    }

    // What is in force already is nothing to do.
    expect((await shop.json(["dev", "hot-patch", "shop", digest])).json).toMatchObject({ version: 2 });

    const back = await shop.json(["dev", "rollback", "shop"]);
    expect(back).toMatchObject({
      code: 0,
      json: { digest: shop.first, origin_version: 1, version: 3, status: "running" },
    });
    await waitFor("the code before", async () => (await shop.answers()).join() === "v1");
    const forth = await shop.json(["dev", "rollback", "shop", digest.slice(0, 12)]);
    expect(forth.json).toMatchObject({ digest, origin_version: 2, version: 4 });
    await waitFor("the newer code", async () => (await shop.answers()).join() === "v2");
    if (runtime === "kubernetes") {
      expect((await shop.replicas()).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
    }
  }, 240_000);

  test("code that does not come up is told, and hot-status shows what goes on running", async () => {
    await using shop = await startShop(open);
    const { digest } = await shop.upload(`throw new Error("no database");`);
    const patched = await shop.json(["dev", "hot-patch", "shop", digest]);
    expect(patched).toMatchObject({ code: 20, json: { code: "deployment_failed", version: 2 } });
    expect(patched.stderr).toContain("no database");
    const { json } = await shop.json(["dev", "hot-status", "shop"]);
    expect(json).toMatchObject({ digest: shop.first, version: 1, failed: { digest, version: 2 } });
    expect(loaded(json.replicas)).toEqual([
      { digest: shop.first, version: 1 },
      { digest: shop.first, version: 1 },
    ]);
    if (runtime === "kubernetes") {
      const reload = { digest, outcome: "fail", reason: "start", message: expect.any(String) };
      expect(json.replicas).toContainEqual(expect.objectContaining({ reload: expect.objectContaining(reload) }));
    }
    expect(await shop.answers()).toEqual(["v1"]);
    // It never ran, so that there is nothing to go back to.
    expect((await shop.json(["dev", "rollback", "shop"])).json).toMatchObject({ code: "conflict" });
    expect((await shop.json(["dev", "rollback", "shop", digest])).json).toMatchObject({ code: "not_found" });
    expect((await shop.json(["dev", "hot-patch", "shop", "a".repeat(64)])).json).toMatchObject({ code: "not_found" });

    const mended = await shop.upload(answering("v3"));
    expect((await shop.json(["dev", "hot-patch", "shop", mended.digest])).json).toMatchObject({ version: 3 });
    expect((await shop.json(["dev", "rollback", "shop"])).json).toMatchObject({
      digest: shop.first,
      origin_version: 1,
    });
  }, 240_000);

  test("where nothing runs there is nothing to load code into", async () => {
    await using platform = await open();
    const { user, client: env } = platform;
    await user.run(["apps", "create", "shop"], { env });
    for (const args of [
      ["hot-patch", "shop", "a".repeat(64)],
      ["hot-status", "shop"],
    ]) {
      expect(await runJson(user, ["dev", ...args], { env })).toMatchObject({ code: 20, json: { code: "conflict" } });
    }
  }, 60_000);
});

const authorization = ({ AETHER_TOKEN: token }: Record<string, string>): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };
