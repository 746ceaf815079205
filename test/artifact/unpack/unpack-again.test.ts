import { expect, test } from "bun:test";
import { cp, mkdir, readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact, verifyUnpacked } from "../../../src/artifact/unpack/unpack.ts";
import { archive, file, link, manifest, sha256 } from "../../harness/tar-archive.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const described = archive(file("a.js", "a"), link("b.js", "a.js"), manifest({ "a.js": "a", "b.js": "a.js" }));
const plain = archive(file("a.js", "a"));
const other = archive(file("other.js", "o"));

async function unpacked(bytes: Uint8Array) {
  const folder = await temporaryFolder();
  const target = join(folder.path, "release");
  const unpack = async (content: Uint8Array) => {
    const path = join(folder.path, "a.tgz");
    await writeFile(path, content);
    return unpackArtifact({ path, digest: sha256(content), targetFolder: target });
  };
  await unpack(bytes);
  return { path: folder.path, target, unpack, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

/** As after a restart of the machine: the marker names another boot. */
async function restartMachine(target: string) {
  const path = join(target, ".aether/unpacked.json");
  const marker = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...marker, boot: "another" }));
}

test("a release that is there is used as it is", async () => {
  await using release = await unpacked(plain);
  await writeFile(join(release.target, "cache"), "written by the application");

  expect(await release.unpack(plain)).toEqual({ files: 1, bytes: 1, reused: true });
  expect(await readdir(release.target)).toContain("cache");
});

test("another artifact replaces the folder and leaves nothing of it", async () => {
  await using release = await unpacked(plain);

  expect(await release.unpack(other)).toEqual({ files: 1, bytes: 1, reused: false });
  expect((await readdir(release.target)).sort()).toEqual([".aether", "other.js"]);
  expect((await readdir(release.path)).sort()).toEqual(["a.tgz", "release"]);
});

test.each([
  ["a folder of another origin", async (target: string) => cp(import.meta.dir, target, { recursive: true })],
  ["an empty folder", async (target: string) => void (await mkdir(target))],
  ["a file", async (target: string) => writeFile(target, "?")],
  ["a link to a folder that must stay", async (target: string) => symlink("keep", target)],
])("%s in the target's place is replaced", async (_, occupy) => {
  await using place = await temporaryFolder();
  await mkdir(join(place.path, "keep"));
  await writeFile(join(place.path, "keep/me"), "");
  await writeFile(join(place.path, "a.tgz"), plain);
  const target = join(place.path, "release");
  await occupy(target);

  await unpackArtifact({ path: join(place.path, "a.tgz"), digest: sha256(plain), targetFolder: target });

  expect((await readdir(target)).sort()).toEqual([".aether", "a.js"]);
  expect((await readdir(place.path)).sort()).toEqual(["a.tgz", "keep", "release"]);
  expect(await readdir(join(place.path, "keep"))).toEqual(["me"]);
});

test("after a restart of the machine an unchanged release is recognised by its hashes, once", async () => {
  await using release = await unpacked(described);
  await restartMachine(release.target);

  expect(await release.unpack(described)).toEqual({ files: 3, bytes: expect.any(Number), reused: true });
  expect(await readFile(join(release.target, ".aether/unpacked.json"), "utf8")).not.toContain("another");
  expect((await readdir(join(release.target, ".aether"))).sort()).toEqual(["manifest.json", "unpacked.json"]);
});

test.each([
  ["a changed file", (target: string) => writeFile(join(target, "a.js"), "b")],
  ["a file cut short", (target: string) => writeFile(join(target, "a.js"), "")],
  ["a file too many", (target: string) => writeFile(join(target, "c.js"), "")],
  ["a changed manifest", (target: string) => writeFile(join(target, ".aether/manifest.json"), '{"files":[]}')],
  ["a damaged marker", (target: string) => writeFile(join(target, ".aether/unpacked.json"), '{"digest":')],
  ["a marker without content", (target: string) => writeFile(join(target, ".aether/unpacked.json"), "")],
])("after a restart of the machine %s means unpacking again", async (_, damage) => {
  await using release = await unpacked(described);
  await restartMachine(release.target);
  await damage(release.target);

  expect(await verifyUnpacked(release.target, sha256(described))).toBeUndefined();
  expect((await release.unpack(described)).reused).toBe(false);
  expect(await readFile(join(release.target, "a.js"), "utf8")).toBe("a");
  expect((await readdir(release.target)).sort()).toEqual([".aether", "a.js", "b.js"]);
});

test("after a restart of the machine an archive without a manifest is unpacked again", async () => {
  await using release = await unpacked(plain);
  await restartMachine(release.target);
  expect((await release.unpack(plain)).reused).toBe(false);
});

test("what killed processes left is removed, what others are writing stays", async () => {
  await using release = await unpacked(plain);
  const dead = Bun.spawn(["true"]);
  await dead.exited;
  const leave = async (name: string, ageMs = 0) => {
    await mkdir(join(release.path, name, "some"), { recursive: true });
    const time = new Date(Date.now() - ageMs);
    await utimes(join(release.path, name), time, time);
  };
  await leave(`.aether-unpack-${dead.pid}-0123456789abcdef`);
  await leave(`.aether-unpack-${process.pid}-0123456789abcdef`); // an earlier container's process of our number
  await leave(`.aether-unpack-${process.ppid}-00000000000001d1`, 2 * 3_600_000);
  const alive = `.aether-unpack-${process.ppid}-0123456789abcdef`;
  await leave(alive);
  await leave(".aether-unpack-mine");

  await release.unpack(other);

  expect((await readdir(release.path)).sort()).toEqual([alive, ".aether-unpack-mine", "a.tgz", "release"].sort());
});
