import { describe, expect, test } from "bun:test";
import { detectApp, detectName, fixedPort } from "../../../src/artifact/project/detect.ts";
import { detectPackageManager } from "../../../src/artifact/project/package-manager.ts";
import { readProject } from "../../../src/artifact/project/project.ts";
import { expandScripts } from "../../../src/artifact/project/scripts.ts";
import { failureOf } from "../../harness/failure-of.ts";
import { type Files, folderOf } from "../../harness/files.ts";

async function detect(files: Files) {
  await using folder = await folderOf({ "server.js": "", ...files });
  return await detectApp(await readProject(folder.path));
}

describe("the start command", () => {
  const start = { scripts: { start: "node server.js" } };
  test.each<[string, Files, string, string]>([
    [
      "aether.json comes first",
      { "aether.json": { start: "node a.js" }, "a.js": "", Procfile: "web: node b.js", "package.json": start },
      "node a.js",
      "start in aether.json",
    ],
    [
      "then the Procfile's web process",
      { Procfile: "worker: node w.js\nweb: node b.js --x\n", "b.js": "", "package.json": start },
      "node b.js --x",
      "Procfile",
    ],
    [
      "a Procfile may call npm start",
      { Procfile: "web: npm start", "package.json": start },
      "node server.js",
      "Procfile",
    ],
    ["then scripts.start", { "package.json": { ...start, main: "other.js" } }, "node server.js", "scripts.start"],
    [
      "with prestart before it and poststart left out",
      {
        "package.json": { scripts: { prestart: "node migrate.js", start: "node server.js", poststart: "echo bye" } },
        "migrate.js": "",
      },
      "node migrate.js && node server.js",
      "scripts.start",
    ],
    [
      "a prestart that builds is left out",
      { "package.json": { scripts: { prestart: "npm run build", build: "tsc", start: "node server.js" } } },
      "node server.js",
      "scripts.start",
    ],
    [
      "start:prod where start needs a development dependency",
      {
        "package.json": {
          scripts: { start: "nest start", "start:prod": "node dist/main" },
          devDependencies: { "@nestjs/cli": "1" },
        },
        "dist/main.js": "",
      },
      "node dist/main",
      "scripts.start:prod",
    ],
    ["then main", { "package.json": { main: "lib" }, "lib/index.js": "" }, "node lib", "main"],
    ["then server.js, when main is not there", { "package.json": { main: "index.js" } }, "node server.js", "server.js"],
    [
      "a binary of a dependency needs no file",
      { "package.json": { scripts: { start: "next start" } } },
      "next start",
      "scripts.start",
    ],
  ])("%s", async (_, files, command, source) => {
    expect((await detect(files)).start).toMatchObject({ command, source });
  });

  test("index.js is the last resort", async () => {
    await using folder = await folderOf({ "package.json": {}, "index.js": "" });
    expect((await detectApp(await readProject(folder.path))).start.command).toBe("node index.js");
  });

  test("a missing start file names the build when there is one", async () => {
    const error = await failureOf(
      detect({ "package.json": { scripts: { start: "node dist/server.js", build: "tsc" } } }),
    );
    expect(error).toMatchObject({ code: "preflight_failed", details: { file: "dist/server.js" } });
    expect(error.hint).toContain("--build");
  });

  test("a missing main that a build makes is not passed over for another file", async () => {
    const error = await failureOf(detect({ "package.json": { main: "dist/main.js", scripts: { build: "tsc" } } }));
    expect(error.message).toContain("dist/main.js");
  });

  test("a missing start file without a build names the file", async () => {
    const error = await failureOf(
      detect({
        "package.json": { scripts: { start: "NODE_ENV=production node --enable-source-maps -r ./x.js app.js" } },
      }),
    );
    expect(error).toMatchObject({ code: "preflight_failed", exitCode: 20 });
    expect(error.message).toContain("app.js");
    expect(error.hint).not.toContain("--build");
  });

  test("nothing to start says what to add", async () => {
    await using folder = await folderOf({ "package.json": {} });
    const error = await failureOf(readProject(folder.path).then(detectApp));
    expect(error.message).toContain("no start script");
    expect(error.hint).toContain("aether.json");
  });
});

describe("calls of other scripts", () => {
  const scripts = {
    start: "node server.js",
    prestart: "npm run gen -- --fast",
    gen: "node gen.js",
    "start:prod": "NODE_ENV=production npm start",
    multi: "node a.js && node b.js",
    serve: "next start",
    loop: "npm run loop",
  };
  test.each([
    ["npm start", "node gen.js --fast && node server.js"],
    ["yarn start:prod", "NODE_ENV=production sh -c 'node gen.js --fast && node server.js'"],
    ["cross-env A=1 pnpm run multi", "cross-env A=1 sh -c 'node a.js && node b.js'"],
    ["npm run serve -- -p 3000", "next start -p 3000"],
    ["npx --no-install next start", "next start"],
    ["yarn next start", "next start"],
    ["npm run multi & npm run gen", "{ node a.js && node b.js; } & node gen.js"],
    ["node 'my file.js' > out.log 2>&1", "node 'my file.js' > out.log 2>&1"],
    ["echo 'npm start' && node x.js", "echo 'npm start' && node x.js"],
  ])("%s becomes %s", (line, expected) => {
    expect(expandScripts(line, scripts)).toBe(expected);
  });

  test.each([
    ["npm run loop", "circle"],
    ["npm run nope", 'no script "nope"'],
    ["npm install && node x.js", "no package manager"],
    ["npm --prefix api start", "no package manager"],
    ["run-p gen serve", "needs a package manager"],
  ])("%s is refused: %s", (line, why) => {
    expect(() => expandScripts(line, scripts)).toThrow(why);
  });
});

describe("the port", () => {
  test.each([
    ["PORT=3000 node server.js", 3000],
    ["cross-env PORT=80 node server.js", 80],
    ["next start -p 3000", 3000],
    ["node server.js --port=8080", 8080],
    ["node --inspect server.js --port 9", 9],
    ["node server.js", undefined],
    ["next start -p $PORT", undefined],
    ["next start -p 3000 --port $PORT", undefined],
    [`PORT=\${PORT:-3000} node server.js`, undefined],
    ["node -p 3000", undefined],
    ["node server.js -p 3 --port 4", undefined],
    ["node server.js --port 99999", undefined],
  ])("of %s is %p", (command, port) => {
    expect(fixedPort(command)).toBe(port);
  });

  test("of aether.json counts more", async () => {
    const files = { "aether.json": { port: 4000 }, "package.json": { scripts: { start: "PORT=3000 node server.js" } } };
    expect((await detect(files)).config).toEqual({ start: "PORT=3000 node server.js", port: 4000 });
  });
});

describe("the Node version", () => {
  test.each<[Files, string | undefined, string | undefined]>([
    [{ "aether.json": { node: "22" }, "package.json": { engines: { node: ">=18" } } }, "22", "node in aether.json"],
    [{ "package.json": { engines: { node: ">=18 <23" } }, ".nvmrc": "20" }, ">=18 <23", "engines.node"],
    [{ "package.json": {}, ".nvmrc": "v20.11.1\n", ".node-version": "18" }, "20.x", ".nvmrc"],
    [{ "package.json": {}, ".nvmrc": "lts/jod" }, "22.x", ".nvmrc"],
    [{ "package.json": {}, ".nvmrc": "lts/*", ".node-version": "18.0.0" }, "18.x", ".node-version"],
    [{ "package.json": { volta: { node: "20.1.0" } } }, "20.x", "volta.node"],
    [{ "package.json": { engines: { node: "*" } } }, undefined, undefined],
    [{ "package.json": {} }, undefined, undefined],
  ])("%j accepts %p", async (files, node, nodeSource) => {
    const detected = await detect(files);
    expect([detected.config.node, detected.nodeSource]).toEqual([node, nodeSource]);
  });
});

describe("the name", () => {
  const nameOf = async (files: Files) => {
    await using folder = await folderOf(files);
    return detectName(await readProject(folder.path));
  };
  test.each<[Files, string]>([
    [{ "aether.json": { name: "shop" }, "package.json": { name: "other" } }, "shop"],
    [{ "package.json": { name: "@acme/My_App.web" } }, "my-app-web"],
  ])("%j is %s", async (files, name) => {
    expect(await nameOf(files)).toBe(name);
  });

  test.each<[Files]>([
    [{ "package.json": {} }],
    [{ "package.json": { name: "123" } }],
    [{ "package.json": { name: "kubernetes" } }],
    [{ "aether.json": { name: "Not_Valid" }, "package.json": {} }],
  ])("%j asks for --app", async (files) => {
    const error = await failureOf(nameOf(files));
    expect(error.exitCode).toBe(2);
    expect(error.hint).toContain("--app");
  });
});

describe("the package manager", () => {
  const managerOf = async (files: Files) => {
    await using folder = await folderOf({ "package.json": {}, ...files });
    return detectPackageManager(await readProject(folder.path));
  };
  const classic = "# yarn lockfile v1\n";
  const berry = "__metadata:\n  version: 8\n";
  test.each<[Files, object]>([
    [{ "package-lock.json": "{}" }, { name: "npm", lockfile: "package-lock.json" }],
    [
      { "package-lock.json": "{}", "npm-shrinkwrap.json": "{}" },
      { name: "npm", lockfile: "npm-shrinkwrap.json" },
    ],
    [{ "yarn.lock": classic }, { name: "yarn-classic", accepts: "1.x" }],
    [{ "yarn.lock": berry }, { name: "yarn-berry", lockfile: "yarn.lock" }],
    [{ "pnpm-lock.yaml": "lockfileVersion: '9.0'\n" }, { name: "pnpm", accepts: ">=9", fetches: "10" }],
    [{ "pnpm-lock.yaml": "lockfileVersion: '6.0'\n" }, { name: "pnpm", accepts: "8.x" }],
    [{ "pnpm-lock.yaml": "lockfileVersion: 5.4\n" }, { name: "pnpm", accepts: "7.x" }],
    [
      { "package.json": { packageManager: "pnpm@9.1.0+sha512.ab" }, "pnpm-lock.yaml": "", "yarn.lock": classic },
      { name: "pnpm", accepts: "9.1.0", fetches: "9.1.0", lockfile: "pnpm-lock.yaml" },
    ],
    [{ "package.json": { packageManager: "yarn@4.9.2" } }, { name: "yarn-berry", accepts: "4.9.2" }],
    [
      { "package.json": { packageManager: "npm@9.0.0" }, "package-lock.json": "{}" },
      { name: "npm", accepts: "*" },
    ],
    [{ "package.json": { devEngines: { packageManager: { name: "pnpm" } } } }, { name: "pnpm" }],
  ])("of %j is %j", async (files, expected) => {
    expect(await managerOf(files)).toMatchObject(expected);
  });

  test.each<[Files, string]>([
    [{}, "no lockfile"],
    [{ "bun.lock": "" }, "bun.lock cannot be read"],
    [{ "package.json": { packageManager: "pnpm@9.1.0" }, "yarn.lock": classic }, "yarn.lock is not used"],
  ])("without its lockfile is said aloud: %j", async (files, note) => {
    const manager = await managerOf(files);
    expect(manager.lockfile).toBeUndefined();
    expect(manager.note).toContain(note);
  });

  test("several lockfiles and nothing that decides is an error", async () => {
    const error = await failureOf(managerOf({ "package-lock.json": "{}", "yarn.lock": classic }));
    expect(error.message).toContain("package-lock.json, yarn.lock");
    expect(error.hint).toContain("packageManager");
  });

  test("a packageManager that is not understood is an error", async () => {
    const error = await failureOf(managerOf({ "package.json": { packageManager: "pnpm@latest; rm -rf /" } }));
    expect(error.code).toBe("config_invalid");
  });
});

test("resources are amounts in text, as Kubernetes takes them", async () => {
  const { config } = await detect({
    "package.json": { main: "server.js" },
    "server.js": "",
    "aether.json": { resources: { cpu: 2, memory: "256Mi" } },
  });
  expect(config.resources).toEqual({ cpu: "2", memory: "256Mi" });
});
