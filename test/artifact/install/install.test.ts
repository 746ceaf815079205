import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type InstallOptions, installDependencies } from "../../../src/artifact/install/install.ts";
import { readProject } from "../../../src/artifact/project/project.ts";
import { processRecord } from "../../../src/lib/processes.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { type Files, folderOf, snapshotOf, writeFiles } from "../../harness/files.ts";
import { fixtureApp, pathWith } from "../../harness/fixture-app.ts";
import { smallDisk, smallDiskTier } from "../../harness/small-disk.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { waitFor } from "../../harness/wait-for.ts";

/** Installs a folder; what was said and written comes with the result. */
async function install(folder: string, cacheFolder: string, options: Partial<InstallOptions> = {}) {
  const said: string[] = [];
  const output: string[] = [];
  const project = await readProject(folder);
  const say = (message: string) => void said.push(message);
  const onOutput = (line: string) => void output.push(line);
  const installed = await installDependencies({ project, cacheFolder, env: process.env, say, onOutput, ...options });
  return { ...installed, said, output };
}

const tiny: Files = { "package.json": { name: "tiny", dependencies: { ms: "2.1.3" } } };

describe.each([
  ["express", ["express"], "semver"],
  ["pnpm", ["koa", "semver"], "ms"],
  ["yarn", ["koa"], "semver"],
])("a real install of the %s fixture", (kind, wanted, unwanted) => {
  test("gives production dependencies, leaves the folder alone, and is not repeated", async () => {
    await using app = await fixtureApp(kind);
    await using cache = await temporaryFolder();
    // A broken node_modules of the user's own: must be neither read nor touched.
    await writeFiles(app.path, { "node_modules/koa/package.json": "broken", "node_modules/.bin/x": "broken" });
    const before = await snapshotOf(app.path);

    const first = await install(app.path, cache.path);
    expect(first).toMatchObject({ cached: false, nodeModules: ["node_modules"] });
    const modules = join(first.folder ?? "", "node_modules");
    const names = await readdir(modules);
    expect(names).toEqual(expect.arrayContaining(wanted));
    expect(names).not.toContain(unwanted);
    expect(names.filter((name) => /^\.(modules|package-lock|yarn|pnpm-workspace)/.test(name))).toEqual([]);
    expect(await readdir(first.folder ?? "")).toEqual(["node_modules"]);
    expect(await snapshotOf(app.path)).toEqual(before);

    await using onlyNode = await pathWith("node");
    const second = await install(app.path, cache.path, { env: { PATH: onlyNode.path } });
    expect(second).toMatchObject({ cached: true, folder: first.folder, output: [], said: [] });
  }, 180_000);
});

test("without dependencies nothing is run", async () => {
  await using app = await folderOf({ "package.json": { devDependencies: { ms: "2.1.3" } } });
  await using cache = await temporaryFolder();
  expect(await install(app.path, cache.path, { env: { PATH: "/nonexistent" } })).toMatchObject({
    folder: undefined,
    cached: false,
    said: [],
  });
  expect(await readdir(cache.path)).toEqual([]);
});

test("without a lockfile a plain install is made and said aloud; yarn classic does as npm does", async () => {
  await using cache = await temporaryFolder();
  for (const packageManager of [undefined, "yarn@1.22.22"]) {
    await using app = await folderOf({ "package.json": { dependencies: { ms: "2.1.3" }, packageManager } });
    const { folder, said } = await install(app.path, cache.path);
    expect(said[0]).toContain("no lockfile");
    expect(existsSync(join(folder ?? "", "node_modules/ms/index.js"))).toBe(true);
  }
}, 180_000);

test("noCache installs again and leaves the entry that another deploy may be packing", async () => {
  await using app = await folderOf(tiny);
  await using cache = await temporaryFolder();
  const first = await install(app.path, cache.path);
  const again = await install(app.path, cache.path, { noCache: true });
  expect(again.cached).toBe(false);
  expect(again.folder).not.toBe(first.folder);
  expect(existsSync(first.folder ?? "")).toBe(true);
  expect(await install(app.path, cache.path)).toMatchObject({ cached: true, folder: again.folder });
}, 180_000);

test("two installs at once give one entry", async () => {
  await using app = await folderOf(tiny);
  await using cache = await temporaryFolder();
  const [a, b] = await Promise.all([install(app.path, cache.path), install(app.path, cache.path)]);
  expect(a.folder).toBe(b.folder);
  expect(await readdir(cache.path)).toHaveLength(1);
}, 180_000);

describe("a lockfile out of step with package.json", () => {
  test.each([
    ["express", "npm install"],
    ["pnpm", "pnpm install"],
    ["yarn", "yarn install"],
  ])(
    "is refused for the %s fixture, naming %s",
    async (kind, remedy) => {
      await using app = await fixtureApp(kind);
      await using cache = await temporaryFolder();
      const manifest = JSON.parse(await readFile(join(app.path, "package.json"), "utf8"));
      manifest.dependencies["is-odd"] = "3.0.1";
      await writeFiles(app.path, { "package.json": manifest });
      const output: string[] = [];
      const onOutput = (line: string) => void output.push(line);
      const error = await failureOf(install(app.path, cache.path, { onOutput }));
      expect(error).toMatchObject({ code: "preflight_failed", exitCode: 20 });
      expect(output.length).toBeLessThan(10);
      expect(error.message).toContain("out of step");
      expect(error.message).toContain("is-odd");
      expect(error.hint).toContain(`Run ${remedy}`);
      expect(await readdir(cache.path)).toEqual([]);
    },
    30_000,
  );
});

describe("install scripts of the project itself", () => {
  const withScript = (text: string): Files => ({
    ...tiny,
    "package.json": { dependencies: { ms: "2.1.3" }, scripts: { postinstall: "node scripts/x.js", prepare: "husky" } },
    "scripts/x.js": `require("fs").writeFileSync("node_modules/made.txt", require("../data.json").text + "${text}")`,
    "data.json": { text: "data " },
    ".env": "SECRET=1",
  });

  test("find the sources they read, and run again when those change; prepare is for developers", async () => {
    await using app = await folderOf(withScript("one"));
    await using cache = await temporaryFolder();
    const first = await install(app.path, cache.path);
    expect(await readFile(join(first.folder ?? "", "node_modules/made.txt"), "utf8")).toBe("data one");
    await writeFiles(app.path, withScript("two"));
    const second = await install(app.path, cache.path);
    expect(await readFile(join(second.folder ?? "", "node_modules/made.txt"), "utf8")).toBe("data two");
  }, 180_000);
});

test("a new version, start script or source is no reason to install again", async () => {
  await using app = await folderOf(tiny);
  await using cache = await temporaryFolder();
  await install(app.path, cache.path);
  await writeFiles(app.path, {
    "package.json": { ...(tiny["package.json"] as object), version: "2.0.0", scripts: { start: "node x.js" } },
    "x.js": "",
  });
  expect((await install(app.path, cache.path)).cached).toBe(true);
  await writeFiles(app.path, { ".npmrc": "legacy-peer-deps=true" });
  expect((await install(app.path, cache.path)).cached).toBe(false);
}, 180_000);

test("local dependencies inside the folder are linked; one outside is refused", async () => {
  await using app = await folderOf({
    "package.json": { dependencies: { lib: "file:./lib" } },
    "lib/package.json": { name: "lib", version: "1.0.0", dependencies: { inner: "file:../inner" } },
    "lib/index.js": "",
    "inner/package.json": { name: "inner", version: "1.0.0" },
  });
  await using cache = await temporaryFolder();
  const { folder } = await install(app.path, cache.path);
  expect(await readdir(join(folder ?? "", "node_modules"))).toContain("lib");
  await writeFiles(app.path, { "package.json": { dependencies: { lib: "file:../lib" } } });
  const error = await failureOf(install(app.path, cache.path));
  expect(error.message).toContain('lib ("file:../lib") lies outside');
}, 180_000);

describe("an install that fails", () => {
  const secret = "0123456789abcdefsecret";
  const failing: Files = {
    "package.json": { dependencies: { ms: "2.1.3" }, scripts: { postinstall: "cat .npmrc; echo $TOKEN; exit 3" } },
    ".npmrc": `//127.0.0.1:9/:_authToken=${secret}\n//127.0.0.1:10/:_authToken=\${TOKEN}\n`,
  };

  test("shows the command and its last lines, and no token", async () => {
    await using app = await folderOf(failing);
    await using cache = await temporaryFolder();
    const lines: string[] = [];
    const env = { ...process.env, TOKEN: "from-the-environment" };
    const error = await failureOf(install(app.path, cache.path, { env, onOutput: (line) => void lines.push(line) }));
    expect(error).toMatchObject({ code: "install_failed", exitCode: 20 });
    expect(error.message).toContain("npm install --omit=dev");
    expect(error.message).toContain("_authToken=[redacted]");
    expect(lines.join("\n")).toContain("[redacted]");
    const everything = `${lines.join("\n")}${error.stack}${JSON.stringify(error)}`;
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain("from-the-environment");
    expect(await readdir(cache.path)).toEqual([]);
  }, 180_000);

  test.skipIf(!smallDiskTier().available)(
    "for want of space is a disk error that names the place",
    async () => {
      await using app = await fixtureApp("express");
      await using disk = await smallDisk(1);
      const error = await failureOf(install(app.path, join(disk.path, "cache")));
      expect(error).toMatchObject({ code: "disk_failed", exitCode: 30 });
      expect(error.message).toContain(disk.path);
      expect(await readdir(join(disk.path, "cache"))).toEqual([]);
    },
    30_000,
  );

  test("for want of npm says so", async () => {
    await using app = await folderOf(tiny);
    await using cache = await temporaryFolder();
    await using onlyNode = await pathWith("node");
    const error = await failureOf(install(app.path, cache.path, { env: { PATH: onlyNode.path } }));
    expect(error).toMatchObject({ code: "install_failed", message: "npm was not found on PATH." });
    const withoutNode = await failureOf(install(app.path, cache.path, { env: { PATH: "/nonexistent" } }));
    expect(withoutNode.message).toContain("Node.js was not found");
  });
});

describe("an install that is cut short", () => {
  const slow: Files = {
    "package.json": { dependencies: { ms: "2.1.3" }, scripts: { postinstall: "node wait.js" } },
    "wait.js": 'require("fs").writeFileSync(process.env.MARK, String(process.pid)); setTimeout(() => {}, 120_000)',
  };
  const pidIn = (file: string) =>
    waitFor("the install script", async () => existsSync(file) && Number(await readFile(file, "utf8")), {
      withinMs: 30_000,
    });
  const isAlive = (pid: number) => processRecord(pid) !== undefined; // one that init is yet to reap has ended

  test("by Ctrl-C ends the package manager with its children and leaves nothing", async () => {
    await using app = await folderOf(slow);
    await using cache = await temporaryFolder();
    await using marks = await temporaryFolder();
    const mark = join(marks.path, "pid");
    const abort = new AbortController();
    const ended = failureOf(
      install(app.path, cache.path, { env: { ...process.env, MARK: mark }, signal: abort.signal }),
    );
    const pid = await pidIn(mark);
    abort.abort();
    expect(await ended).toMatchObject({ code: "interrupted", exitCode: 130 });
    await waitFor("the install script's end", () => !isAlive(pid));
    expect(await readdir(cache.path)).toEqual([]);
  }, 180_000);

  test("by kill -9 leaves no entry, only a leftover that goes later", async () => {
    await using app = await folderOf(slow);
    await using cache = await temporaryFolder();
    await using scratch = await folderOf({
      "run.ts": `import { installDependencies } from ${JSON.stringify(join(import.meta.dir, "../../../src/artifact/install/install.ts"))};
        import { readProject } from ${JSON.stringify(join(import.meta.dir, "../../../src/artifact/project/project.ts"))};
        const [folder, cacheFolder] = process.argv.slice(2);
        await installDependencies({ project: await readProject(folder), cacheFolder, env: process.env, say() {} });`,
    });
    const mark = join(scratch.path, "pid");
    const command = Bun.spawn([process.execPath, join(scratch.path, "run.ts"), app.path, cache.path], {
      env: { ...process.env, MARK: mark },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const pid = await pidIn(mark);
    command.kill("SIGKILL");
    await command.exited;
    process.kill(pid, "SIGKILL"); // npm itself was started apart, and ends with its script
    expect((await readdir(cache.path)).filter((name) => !name.includes(".tmp-"))).toEqual([]);

    await writeFiles(app.path, { "wait.js": "" });
    const later = await install(app.path, cache.path, { now: () => new Date(Date.now() + 2 * 3_600_000) });
    expect(later.cached).toBe(false);
    await waitFor("the leftover's end", async () => (await readdir(cache.path)).length === 1);
  }, 180_000);
});
