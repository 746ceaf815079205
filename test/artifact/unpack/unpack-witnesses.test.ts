import { beforeAll, expect, test } from "bun:test";
import { chmod, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { $ } from "bun";
import * as nodeTar from "tar";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { randomFrom, testSeed } from "../../harness/random.ts";
import { sha256 } from "../../harness/tar-archive.ts";
import { type Reading, readWithAether, readWithGnuTar, readWithNodeTar } from "../../harness/tar-witnesses.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const names = [
  "package.json",
  "node_modules/@scope/name/lib/index.min.js",
  "with spaces/and (brackets) [slug] {x}.js",
  "emoji/🚀/👩‍👩‍👧‍👦.txt",
  "unicode/ﬁle ßtraße İstanbul.txt",
  "unicode/日本語/ファイル.js",
  "unicode/NFD cafe\u0301.txt",
  "unicode/\ufeffbyte order mark",
  'quotes/it\'s "quoted" $HOME `x` %41 #1 ; & | < > * ?',
  "dots/..hidden/...x",
  "dots/-rf",
  "dots/a:b",
  "windows/con/aux.js",
  `long/${"n".repeat(255)}`,
  `long/${"directory-of-some-length/".repeat(12)}file.js`,
  `long/${"日".repeat(85)}/${"日".repeat(85)}`,
  "sizes/empty",
];
const links = {
  "bin/run": "../package.json",
  "bin/later": "../with spaces",
  dangling: "not/there",
  [`l/${"k".repeat(99)}`]: `../${"long/".repeat(30)}`,
};

async function writeProject(root: string) {
  for (const name of names) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), name.endsWith("empty") ? "" : name.repeat(40));
  }
  for (const [name, target] of Object.entries(links)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await symlink(target, join(root, name));
  }
  await mkdir(join(root, "folder without files"));
  await chmod(join(root, "package.json"), 0o755);
}

/** The ways in which people make an archive by hand. */
const packers: Record<string, (root: string, file: string) => Promise<unknown>> = {
  "tar czf": (root, file) => $`tar czf ${file} -C ${root} .`.quiet(),
  "tar of names": async (root, file) => $`tar --create --gzip --file ${file} -C ${root} ${await readdir(root)}`.quiet(),
  "tar --format=pax": (root, file) => $`tar --format=pax -czf ${file} -C ${root} .`.quiet(),
  "tar --format=gnu": (root, file) => $`tar --format=gnu -czf ${file} -C ${root} .`.quiet(),
  "node-tar": async (root, file) => nodeTar.create({ gzip: true, cwd: root, file }, await readdir(root)),
  "node-tar, portable": (root, file) => nodeTar.create({ gzip: true, cwd: root, file, portable: true }, ["."]),
};

const archives = new Map<string, Uint8Array>();

beforeAll(async () => {
  await using place = await temporaryFolder();
  const root = join(place.path, "project");
  await mkdir(root);
  await writeProject(root);
  for (const [name, pack] of Object.entries(packers)) {
    await pack(root, join(place.path, "a.tgz"));
    archives.set(name, await readFile(join(place.path, "a.tgz")));
  }
});

test.each(Object.keys(packers))("what %s packs comes out as it went in", async (packer) => {
  await using place = await temporaryFolder();
  const bytes = archives.get(packer) ?? new Uint8Array();
  const path = join(place.path, "a.tgz");
  await writeFile(path, bytes);
  const root = join(place.path, "release");
  await unpackArtifact({ path, digest: sha256(bytes), targetFolder: root });

  const listed = await $`find . -type f -not -path ./.aether/unpacked.json`.cwd(root).text();
  expect(listed.split("\n").filter(Boolean).sort()).toEqual(names.map((name) => `./${name}`).sort());
  for (const name of names) {
    expect(await readFile(join(root, name), "utf8")).toBe(name.endsWith("empty") ? "" : name.repeat(40));
  }
  for (const [name, target] of Object.entries(links)) expect(await readlink(join(root, name))).toBe(target);
  expect(await readdir(join(root, "folder without files"))).toEqual([]);
});

test.each(Object.keys(packers))("GNU tar and node-tar list what we read from %s", async (packer) => {
  await using place = await temporaryFolder();
  const bytes = archives.get(packer) ?? new Uint8Array();
  const ours = await readWithAether(bytes, place.path);
  expect(ours).toBeArray();
  if (!Array.isArray(ours)) return;
  expect(difference(await readWithGnuTar(bytes, place.path), ours)).toEqual([]);
  expect(difference(await readWithNodeTar(bytes, place.path), ours)).toEqual([]);
});

const seed = testSeed();
const rounds = process.env.AETHER_TEST_FULL === "1" ? 4000 : 400;

test(`no mutation is accepted that GNU tar or node-tar reads differently (AETHER_TEST_SEED=${seed})`, async () => {
  await using place = await temporaryFolder();
  const fraction = randomFrom(seed);
  const random: Random = (limit) => Math.floor(fraction() * limit);
  const tars = [...archives.values()].map((bytes) => gunzipSync(bytes));
  const refused: Record<string, number> = {};
  let accepted = 0;
  for (let round = 0; round < rounds; round += 1) {
    const bytes = mutate(tars[random(tars.length)] ?? Buffer.alloc(0), random);
    const ours = await readWithAether(bytes, place.path);
    if (!Array.isArray(ours)) {
      refused[ours.refused] = (refused[ours.refused] ?? 0) + 1;
      continue;
    }
    accepted += 1;
    const witnesses: [string, Reading][] = [
      ["GNU tar", await readWithGnuTar(bytes, place.path)],
      ["node-tar", await readWithNodeTar(bytes, place.path)],
    ];
    for (const [who, reading] of witnesses) expect(difference(reading, ours), `${who}, round ${round}`).toEqual([]);
  }
  expect(accepted).toBeGreaterThan(rounds / 20);
  expect(Object.keys(refused).length).toBeGreaterThan(8);
}, 300_000);

/** Lines that only one of two readings has. */
function difference(theirs: Reading, ours: string[]): string[] {
  if (!Array.isArray(theirs)) return [`refused: ${theirs.refused}`];
  const only = (mark: string, some: string[], others: string[]) =>
    some.filter((line) => !others.includes(line)).map((line) => `${mark} ${line}`);
  return [...only("theirs", theirs, ours), ...only("ours", ours, theirs)];
}

/** One to three changes, most of them with a right checksum, so that they get past the first look. */
function mutate(tar: Buffer, random: Random): Uint8Array {
  let changed: Buffer = Buffer.from(tar);
  for (let changes = 1 + random(3); changes > 0; changes -= 1) {
    const change = mutations[random(mutations.length)];
    if (change !== undefined) changed = change(changed, random);
  }
  return gzipSync(changed, { level: 1 });
}

/** A number from 0 to below `limit`. */
type Random = (limit: number) => number;

type Mutation = (tar: Buffer, random: Random) => Buffer;

const oddBytes = "0179 /.\0xLKg52";
const types = "0\x0012345670xgLKSVMDA";

const mutations: Mutation[] = [
  // a header with a right checksum: any byte, the type, the size, the prefix, the magic
  (tar, random) => inHeader(tar, random, (block) => block.writeUInt8(random(256), random(512))),
  (tar, random) => inHeader(tar, random, (block) => block.write(pick(oddBytes, random), random(512), "latin1")),
  (tar, random) => inHeader(tar, random, (block) => block.write(pick(types, random), 156, "latin1")),
  (tar, random) => inHeader(tar, random, (block) => block.write(random(3000).toString(8).padStart(11, "0"), 124)),
  (tar, random) => inHeader(tar, random, (block) => block.write("deep/er", 345)),
  (tar, random) =>
    inHeader(tar, random, (block) => block.write(random(2) ? "ustar  \0" : "ustar\x0000", 257, "latin1")),
  // a byte anywhere, checksum or not
  (tar, random) => {
    const copy = Buffer.from(tar);
    copy[random(copy.length)] = random(256);
    return copy;
  },
  // a block less, a block twice, two blocks exchanged
  (tar, random) => {
    const at = blockAt(tar, random);
    return Buffer.concat([tar.subarray(0, at), tar.subarray(at + 512)]);
  },
  (tar, random) => {
    const at = blockAt(tar, random);
    return Buffer.concat([tar.subarray(0, at), tar.subarray(at, at + 512), tar.subarray(at)]);
  },
  (tar, random) => {
    const [from, to] = [blockAt(tar, random), blockAt(tar, random)];
    const copy = Buffer.from(tar);
    tar.copy(copy, to, from, from + 512);
    tar.copy(copy, from, to, to + 512);
    return copy;
  },
  // a header of another place, a cut
  (tar, random) => {
    const [from, to] = [headerAt(tar, random), blockAt(tar, random)];
    return Buffer.concat([tar.subarray(0, to), tar.subarray(from, from + 512), tar.subarray(to)]);
  },
  (tar, random) => tar.subarray(0, random(4) === 0 ? random(tar.length) : tar.length - 512 * random(22)),
];

const pick = (text: string, random: Random): string => text.charAt(random(text.length));

const blockAt = (tar: Buffer, random: Random): number => 512 * random(Math.floor(tar.length / 512));

function headerAt(tar: Buffer, random: Random): number {
  const start = blockAt(tar, random);
  for (let at = start; at < tar.length; at += 512)
    if (tar.toString("latin1", at + 257, at + 262) === "ustar") return at;
  return 0;
}

function inHeader(tar: Buffer, random: Random, change: (block: Buffer) => unknown): Buffer {
  const copy = Buffer.from(tar);
  const at = headerAt(copy, random);
  const block = copy.subarray(at, at + 512);
  if (block.length < 512) return copy; // an earlier mutation cut it
  change(block);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}
