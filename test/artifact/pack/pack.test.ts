import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { $ } from "bun";
import * as tar from "tar";
import { packFolder } from "../../../src/artifact/pack/pack.ts";
import type { TableOfContents } from "../../../src/core/artifact-layout.ts";
import { sampleTree } from "../../harness/sample-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { type TreeNode, writeTree } from "../../harness/tree.ts";

const appConfig = { start: "node server.js" };

const sample: Record<string, TreeNode> = {
  "server.js": "require('express')",
  "package.json": '{"name":"shop"}',
  "bin/run": { executable: "#!/bin/sh\n" },
  "public/größe.txt": "big",
  "public/current": { link: "größe.txt" },
  uploads: null,
  "empty.txt": "",
};

const modules: Record<string, TreeNode> = {
  "node_modules/express/index.js": "module.exports = 1",
  "node_modules/express/cli.js": { executable: "#!/usr/bin/env node\n" },
  "node_modules/.bin/express": { link: "../express/cli.js" },
  "node_modules/@scope/a/index.js": "1",
  "node_modules/express/node_modules/debug/index.js": "2",
  [`node_modules/long/${"deep/".repeat(30)}${"n".repeat(120)}.js`]: "3",
};

async function packSample(root: string) {
  writeTree(join(root, "app"), sample);
  writeTree(join(root, "modules"), modules);
  return packFolder({
    appFolder: join(root, "app"),
    dependenciesFolder: join(root, "modules"),
    appConfig,
    outFolder: join(root, "out"),
  });
}

test("the file is named after its own SHA-256 and nothing else lands beside it", async () => {
  await using folder = await temporaryFolder();
  const { path, digest, sizeBytes } = await packSample(folder.path);
  const bytes = readFileSync(path);
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest);
  expect(basename(path)).toBe(`app-${digest}.tar.gz`);
  expect(sizeBytes).toBe(bytes.length);
  expect(readdirSync(join(folder.path, "out"))).toEqual([basename(path)]);
});

test("entries stand in the promised order: packages, the application, metadata, by name inside each", async () => {
  await using folder = await temporaryFolder();
  const { path } = await packSample(folder.path);
  const names: string[] = [];
  await tar.t({ file: path, strict: true, onReadEntry: (entry) => void names.push(entry.path) });
  expect(names).toEqual([
    "node_modules/.bin/express",
    "node_modules/@scope/a/index.js",
    "node_modules/express/cli.js",
    "node_modules/express/index.js",
    "node_modules/express/node_modules/debug/index.js",
    `node_modules/long/${"deep/".repeat(30)}${"n".repeat(120)}.js`,
    "public/current",
    "empty.txt",
    "public/größe.txt",
    "package.json",
    "bin/run",
    "server.js",
    "uploads/",
    ".aether/app.json",
    ".aether/manifest.json",
    ".aether/toc.json",
  ]);
});

test("GNU tar and node-tar make the identical tree of it", async () => {
  await using folder = await temporaryFolder();
  const { path, manifest } = await packSample(folder.path);
  const [gnu, node] = [join(folder.path, "gnu"), join(folder.path, "node")];
  writeTree(folder.path, { gnu: null, node: null });
  await $`tar xzf ${path} -C ${gnu}`.quiet();
  await tar.x({ file: path, cwd: node, strict: true });
  expect(await listing(gnu)).toEqual(await listing(node));
  await $`rm -rf ${gnu}/.aether`;
  await $`cp -a ${folder.path}/modules/. ${folder.path}/app/`;
  expect(await listing(gnu)).toEqual(await listing(join(folder.path, "app")));
  expect(manifest.files.map(({ path }) => path)).toContain("public/größe.txt");
});

/** Kind, mode, path and content of everything below a folder. */
async function listing(root: string): Promise<string[]> {
  const found = await $`find . -mindepth 1 ! -type d -printf '%y %m %p %l\n' -o -type d -printf 'd %p\n'`
    .cwd(root)
    .quiet();
  const sums = await $`find . -type f -exec sha256sum {} +`.cwd(root).quiet();
  return `${found.text()}${sums.text()}`.split("\n").sort();
}

test("the table of contents tells where each member lies, and each is a gzip file of its own", async () => {
  await using folder = await temporaryFolder();
  writeTree(join(folder.path, "app"), sampleTree());
  const app = join(folder.path, "app");
  const { path, members } = await packFolder({
    appFolder: app,
    dependenciesFolder: app,
    appConfig,
    outFolder: folder.path,
  });
  const bytes = readFileSync(path);
  const toc: TableOfContents = JSON.parse(await $`tar xzOf ${path} .aether/toc.json`.quiet().text());
  const whole = gunzipSync(bytes);
  let [offset, tarOffset] = [0, 0];
  for (const row of toc.members) {
    expect([row.offset, row.tar_offset]).toEqual([offset, tarOffset]);
    const member = bytes.subarray(offset, offset + row.length);
    expect(createHash("sha256").update(member).digest("hex")).toBe(row.sha256);
    expect(gunzipSync(member).equals(whole.subarray(tarOffset, tarOffset + row.tar_length))).toBe(true);
    expect([...member.subarray(4, 10)]).toEqual([0, 0, 0, 0, 0, 255]); // no time, no system
    [offset, tarOffset] = [offset + row.length, tarOffset + row.tar_length];
  }
  expect(toc.members).toHaveLength(members.total - 1);
  expect(whole.subarray(-1024).every((byte) => byte === 0)).toBe(true);
  expect(whole.subarray(-1536, -1024).every((byte) => byte === 0)).toBe(false);
});

test("the manifest lists every file and link but itself and the table of contents, by path bytes", async () => {
  await using folder = await temporaryFolder();
  const { manifest, path } = await packSample(folder.path);
  const packed = await $`tar xzOf ${path} .aether/manifest.json`.quiet().text();
  expect(JSON.parse(packed)).toEqual(manifest);
  const paths = manifest.files.map((file) => file.path);
  expect(paths).toEqual([...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  expect(paths).toHaveLength(13);
  expect(paths).toContain(".aether/app.json");
  const hashOf = (name: string) => manifest.files.find((file) => file.path === name)?.sha256;
  expect(hashOf("server.js")).toBe(createHash("sha256").update("require('express')").digest("hex"));
  expect(hashOf("public/current")).toBe(createHash("sha256").update("größe.txt").digest("hex"));
  expect(await $`tar xzOf ${path} .aether/app.json`.quiet().json()).toEqual(appConfig);
});

test("the result says what was packed, what was left out, and what is biggest", async () => {
  await using folder = await temporaryFolder();
  const app = join(folder.path, "app");
  writeTree(app, sampleTree());
  const seen: number[] = [];
  const packed = await packFolder({
    appFolder: app,
    dependenciesFolder: app,
    appConfig,
    outFolder: folder.path,
    onProgress: (bytes) => void seen.push(bytes),
  });
  expect(packed.files).toBe(244);
  expect(packed.rawBytes).toBe(
    5_000_000 + 4 * 900_000 + 59 * 4 * 10_000 + "require('package-1')".length + "#!/bin/sh\n".length,
  );
  expect(packed.excluded).toEqual([".env", "node_modules/.package-lock.json"]);
  expect(packed.largest).toHaveLength(10);
  expect(packed.largest[0]).toEqual({ path: "data/model.bin", sizeBytes: 5_000_000 });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test("what the unpacker would take for a bomb is refused, and nothing is left", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "app/disk.img": "", out: null });
  truncateSync(join(folder.path, "app/disk.img"), 100 * 1024 * 1024);
  const packing = packFolder({ appFolder: join(folder.path, "app"), appConfig, outFolder: join(folder.path, "out") });
  await expect(packing).rejects.toMatchObject({
    code: "preflight_failed",
    message: expect.stringContaining("shrink to less than 1/100"),
  });
  expect(readdirSync(join(folder.path, "out"))).toEqual([]);
});

test("an artifact without dependencies, and one without any file, are artifacts", async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "app/server.js": "1", empty: null });
  for (const name of ["app", "empty"]) {
    const { path, files } = await packFolder({ appFolder: join(folder.path, name), appConfig, outFolder: folder.path });
    expect(files).toBe(name === "app" ? 1 : 0);
    expect((await $`tar tzf ${path}`.quiet().text()).split("\n")).toContain(".aether/toc.json");
  }
});
