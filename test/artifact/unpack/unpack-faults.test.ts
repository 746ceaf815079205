import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { smallDisk, smallDiskTier } from "../../harness/small-disk.ts";
import { archive, file, manifest, sha256 } from "../../harness/tar-archive.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { waitFor } from "../../harness/wait-for.ts";

const script = join(import.meta.dir, "../../harness/unpack-process.ts");

/** Enough small files that a process can be killed among them. */
const files = Object.fromEntries(Array.from({ length: 1600 }, (_, i) => [`node_modules/p${i % 80}/f${i}.js`, `${i}`]));
const large = archive(...Object.entries(files).map(([path, content]) => file(path, content)), manifest(files));

async function place(bytes: Uint8Array) {
  const folder = await temporaryFolder();
  const path = join(folder.path, "a.tgz");
  await writeFile(path, bytes);
  await mkdir(join(folder.path, "out"));
  const request = { path, digest: sha256(bytes), targetFolder: join(folder.path, "out/release") };
  const out = () => readdir(join(folder.path, "out"));
  return { ...request, request, out, [Symbol.asyncDispose]: folder[Symbol.asyncDispose] };
}

const start = ({ path, digest, targetFolder }: Awaited<ReturnType<typeof place>>, wrapper: string[] = []) =>
  Bun.spawn([...wrapper, process.execPath, script, path, digest, targetFolder], { stdout: "pipe" });

/** A signal that runs `act` when it is looked at for the n-th time: between two reads, at a known point. */
function onLook(n: number, act: () => void, signal = new AbortController().signal): AbortSignal {
  let looks = 0;
  const look = signal.throwIfAborted.bind(signal);
  signal.throwIfAborted = () => {
    looks += 1;
    if (looks === n) act();
    look();
  };
  return signal;
}

test.each([1, 10, 40, 79])(
  "killed after %d of 80 folders it leaves no release, and the next run makes it whole",
  async (count) => {
    await using here = await place(large);
    const child = start(here);
    await waitFor(
      "folders to appear",
      async () => {
        const staging = (await here.out()).find((name) => name.startsWith(".aether-unpack-"));
        if (staging === undefined) return child.exitCode !== null || (await here.out()).includes("release");
        const made = await readdir(join(here.targetFolder, "..", staging, "node_modules")).catch(() => []);
        return made.length >= count;
      },
      { everyMs: 1 },
    );
    child.kill(9);
    await child.exited;

    const left = await here.out();
    expect(left.length).toBe(1); // either the staging folder or, when it was too fast, the release
    if (left[0] === "release") expect(await readdir(here.targetFolder)).toContain(".aether");
    await unpackArtifact(here.request);
    expect(await here.out()).toEqual(["release"]);
    const written = await readdir(here.targetFolder, { recursive: true });
    expect(written.filter((path) => path.endsWith(".js")).length).toBe(Object.keys(files).length);
  },
);

test("three processes and three calls with one target all succeed, and one release stands", async () => {
  await using here = await place(large);
  const children = Array.from({ length: 3 }, () => start(here));
  const calls = Array.from({ length: 3 }, () => unpackArtifact(here.request));
  const results = [
    ...(await Promise.all(calls)),
    ...(await Promise.all(children.map((child) => new Response(child.stdout).json()))),
  ];
  for (const result of results) expect(result).toMatchObject({ files: Object.keys(files).length + 1 });
  expect(await here.out()).toEqual(["release"]);
}, 180_000);

test.each([
  ["head", 4],
  ["header", 200],
  ["middle", large.length >> 1],
  ["tail", large.length - 2],
])(
  "one flipped bit in the %s is a digest mismatch, and nothing is written",
  async (_, at) => {
    await using here = await place(large);
    const damaged = Uint8Array.from(large);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    await writeFile(here.path, damaged);
    expect(unpackArtifact(here.request)).rejects.toMatchObject({
      code: "digest_mismatch",
      message: expect.stringContaining(sha256(damaged)),
    });
    expect(await here.out()).toEqual([]);
  },
  60_000,
);

test("a file that is exchanged between the check and the reading is noticed", async () => {
  await using here = await place(archive(file("a", "honest")));
  const exchange = () => writeFileSync(here.path, archive(file("a", "hostile")));
  const signal = onLook(3, exchange); // the first pass looks twice: before the bytes and before the end
  const error = await unpackArtifact({ ...here.request, signal }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "digest_mismatch" });
  expect(await here.out()).toEqual([]);
});

test("an abort ends it with its reason and leaves nothing", async () => {
  await using here = await place(large);
  const controller = new AbortController();
  const signal = onLook(6, () => controller.abort(new Error("stopped by the test")), controller.signal);
  await expect(unpackArtifact({ ...here.request, signal })).rejects.toThrow("stopped by the test");
  expect(await here.out()).toEqual([]);
});

test("a narrow umask does not narrow the modes", async () => {
  await using here = await place(archive(file("d/run", "x", { mode: 0o755 }), file("d/read")));
  await start(here, ["sh", "-c", 'umask 077; exec "$@"', "sh"]).exited;
  const mode = async (path: string) => (await stat(join(here.targetFolder, path))).mode & 0o777;
  expect([await mode("d"), await mode("d/run"), await mode("d/read")]).toEqual([0o755, 0o755, 0o644]);
});

describe.skipIf(!smallDiskTier().available)("on a full disk", () => {
  test("the error names the place and the need, the old release stays, and the next try works", async () => {
    await using disk = await smallDisk(4);
    await using here = await place(archive(file("old", "old")));
    const targetFolder = join(disk.path, "release");
    await unpackArtifact({ ...here.request, targetFolder });
    const big = archive(file("a/big", Buffer.alloc(8_000_000)), file("b"));
    await writeFile(here.path, big);

    const error = await unpackArtifact({ ...here.request, digest: sha256(big), targetFolder }).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toMatchObject({
      code: "disk_failed",
      details: { path: targetFolder, needed_bytes: 8_000_001, needed_files: 2 },
    });
    expect((error as Error).message).toMatch(/needs 8\.0 MB for 2 files; [\d.]+ MB are free/);
    expect(await readdir(disk.path)).toEqual(["release"]);
    expect(await readFile(join(targetFolder, "old"), "utf8")).toBe("old");
  });
});
