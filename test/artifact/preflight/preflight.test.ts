import { describe, expect, test } from "bun:test";
import { type BinaryTarget, parseBinaryTarget } from "../../../src/artifact/preflight/native-binary.ts";
import { preflight } from "../../../src/artifact/preflight/preflight.ts";
import { readProject } from "../../../src/artifact/project/project.ts";
import { type Files, folderOf } from "../../harness/files.ts";

const linux = { os: "linux", arch: "x64", libc: "glibc", node: "20.11.0" };

/** Headers as compilers write them, padded to the size of a real one. */
const elf = (machine: number, libc: string): Buffer => {
  const head = Buffer.alloc(64);
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(machine, 18);
  return Buffer.concat([head, Buffer.from(libc)]);
};
const mach = (cpu: number): Buffer => {
  const head = Buffer.alloc(64);
  head.writeUInt32LE(0xfeedfacf, 0);
  head.writeUInt32LE(cpu, 4);
  return head;
};
const glibcX64 = elf(0x3e, "libc.so.6");
const darwinArm64 = mach(0x0100000c);

async function find(files: Files, { start = "node x.js", node = "", platform = linux } = {}) {
  await using app = await folderOf({ "package.json": {}, ...files });
  await using dependencies = await folderOf(files);
  const appConfig = { start, ...(node === "" ? {} : { node }) };
  const project = await readProject(app.path);
  return await preflight({ project, dependenciesFolder: dependencies.path, appConfig, platform });
}

test("the machine's own binaries are recognised", async () => {
  const node = parseBinaryTarget(await Bun.file(Bun.which("node") ?? "").bytes());
  expect(node).toMatchObject({ os: process.platform, archs: [process.arch] });
});

test.each([
  [glibcX64, { os: "linux", archs: ["x64"], libc: "glibc" }],
  [elf(0xb7, "libc.musl-aarch64.so.1"), { os: "linux", archs: ["arm64"], libc: "musl" }],
  [elf(0x3e, ""), { os: "linux", archs: ["x64"] }],
  [mach(0x01000007), { os: "darwin", archs: ["x64"] }],
  [Buffer.from("#!/bin/sh\n".padEnd(100)), undefined],
  [Buffer.from("\x7fELF"), undefined],
])("binary %#", (bytes, target) => {
  expect(parseBinaryTarget(bytes)).toEqual(target as BinaryTarget);
});

test("a universal binary of macOS names all its processors", () => {
  const fat = Buffer.alloc(128);
  fat.writeUInt32BE(0xcafebabe, 0);
  fat.writeUInt32BE(2, 4);
  fat.writeUInt32BE(0x01000007, 8);
  fat.writeUInt32BE(0x0100000c, 28);
  expect(parseBinaryTarget(fat)).toEqual({ os: "darwin", archs: ["x64", "arm64"] });
});

describe("native modules", () => {
  test.each<[string, Files, string | undefined]>([
    ["that fit", { "node_modules/a/build/a.node": glibcX64 }, undefined],
    ["for another platform", { "node_modules/a/build/a.node": darwinArm64 }, "native module a is for darwin-arm64"],
    ["for another processor", { "node_modules/@s/a/a.node": elf(0xb7, "") }, "native module @s/a is for linux-arm64"],
    ["for another libc", { "node_modules/a/a.node": elf(0x3e, "libc.musl-x86_64.so.1") }, "linux-x64-musl"],
    [
      "of which one fits",
      {
        "node_modules/a/prebuilds/darwin-arm64/a.node": darwinArm64,
        "node_modules/a/prebuilds/linux-x64/a.node": glibcX64,
      },
      undefined,
    ],
    [
      "in one package per platform, of which one fits",
      {
        "node_modules/@img/sharp-darwin-arm64/x.node": darwinArm64,
        "node_modules/@img/sharp-linux-x64/x.node": glibcX64,
      },
      undefined,
    ],
    [
      "in one package per platform, of which none fits",
      { "node_modules/.pnpm/x@1/node_modules/@img/sharp-darwin-arm64/x.node": darwinArm64 },
      "@img/sharp-darwin-arm64 is for darwin-arm64",
    ],
    [
      "that are for macOS by nature",
      { "node_modules/fsevents/fsevents.node": darwinArm64, "node_modules/fsevents/package.json": { os: ["darwin"] } },
      undefined,
    ],
  ])("%s", async (_, files, message) => {
    const found = (await find(files)).filter(({ level }) => level === "error");
    expect(found.map((finding) => finding.message).join()).toEqual(
      message === undefined ? "" : expect.stringContaining(message),
    );
    if (message !== undefined) expect(found[0]?.hint).toContain("linux-x64-glibc");
  });
});

test("a Node version that does not fit is an error with both ways out", async () => {
  expect(await find({}, { node: ">=18" })).toEqual([]);
  expect(await find({}, { node: "v20" })).toEqual([]);
  const [finding] = await find({}, { node: ">=22" });
  expect(finding).toMatchObject({ level: "error" });
  expect(finding?.message).toContain("asks for Node >=22");
  expect(finding?.message).toContain("20.11.0");
});

test.each([
  ["tsx src/main.ts", { tsx: "1" }, "tsx"],
  ["NODE_ENV=production nest start", { "@nestjs/cli": "1" }, "nest"],
])("%s needs a development dependency", async (start, devDependencies, tool) => {
  const [finding] = await find({ "package.json": { devDependencies } }, { start });
  expect(finding).toMatchObject({ level: "error" });
  expect(finding?.message).toContain(`needs ${tool}`);
  expect(await find({ "package.json": { devDependencies, dependencies: devDependencies } }, { start })).toEqual([]);
});

describe("secrets in the application", () => {
  const marker = (kind: string) => `-----BEGIN ${kind}-----\nMIIE`;
  const token = (prefix: string, length: number) => prefix + "a1".repeat(length).slice(0, length);
  test.each<[string, string, string]>([
    ["keys/server.key", marker("RSA PRIVATE KEY"), "a private key"],
    ["id_ed25519", marker("OPENSSH PRIVATE KEY"), "a private key"],
    ["config.js", `key = "${"AKIA"}ABCDEFGH2345JKLM"`, "an AWS access key"],
    ["deploy.sh", token("npm_", 36), "an npm token"],
    ["ci.yml", token("ghp_", 36), "a GitHub token"],
  ])("%s is named with what it seems to hold", async (path, content, kind) => {
    const found = await find({ [path]: content });
    expect(found).toEqual([{ level: "warning", message: `${path} seems to hold ${kind}.`, hint: expect.any(String) }]);
    expect(JSON.stringify(found)).not.toContain(content);
  });

  test("only what will be packed is looked at", async () => {
    const secret = marker("PRIVATE KEY");
    const found = await find({
      ".aetherignore": "/private/\n!certs/own.pem\n",
      "private/server.key": secret,
      "certs/own.pem": secret,
      "certs/other.pem": secret,
      "coverage/x.txt": secret,
      "packages/a/node_modules/x/test.key": secret,
    });
    expect(found.map(({ message }) => message.split(" ")[0])).toEqual(["certs/own.pem", "coverage/x.txt"]);
  });

  test("what is never sent, and what is no secret, is not named", async () => {
    const found = await find({
      ".env": token("npm_", 36),
      ".npmrc": "//r/:_authToken=0123456789",
      "cert.pem": marker("PRIVATE KEY"),
      "public.key": marker("PUBLIC KEY"),
      "check.js": 'if (text.includes("-----BEGIN PRIVATE KEY-----")) refuse();',
      "docs.md": "AKIAIOSFODNN7EXAMPLE",
      "node_modules/x/test.key": marker("PRIVATE KEY"),
    });
    expect(found).toEqual([]);
  });
});
