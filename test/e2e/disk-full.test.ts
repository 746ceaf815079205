import { describe, expect, test } from "bun:test";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createUser, runJson, startServe } from "../harness/binary.ts";
import { writeFiles } from "../harness/files.ts";
import { answering, packageJson } from "../harness/project.ts";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";

/** An application whose artifact does not compress. */
async function noisyApp(user: { path: string }, name: string, megabytes: number) {
  const folder = await writeFiles(join(user.path, name), {
    "package.json": packageJson(name),
    "server.js": answering(name),
  });
  const noise = new Uint8Array(megabytes * 1_000_000);
  for (let at = 0; at < noise.length; at += 65_536)
    crypto.getRandomValues(noise.subarray(at, Math.min(at + 65_536, noise.length)));
  await writeFile(join(folder, "noise.bin"), noise);
  return folder;
}

describe.skipIf(!smallDiskTier().available)("on a full disk", () => {
  test("a cache without room ends with 30, names the folder, and leaves nothing half-done", async () => {
    await using user = await createUser();
    await using disk = await smallDisk(2);
    const folder = await noisyApp(user, "big", 6);
    const { code, json } = await runJson(user, ["deploy", folder, "--dry-run"], { env: { XDG_CACHE_HOME: disk.path } });
    expect(code).toBe(30);
    expect(json).toMatchObject({
      code: "disk_failed",
      message: expect.stringContaining(disk.path),
      hint: expect.stringContaining("space"),
    });
    const left = (await readdir(disk.path, { recursive: true })).filter((name) => name.endsWith(".tar.gz"));
    expect(left).toEqual([]);
  });

  test("a data folder without room refuses the upload, and what ran goes on", async () => {
    await using user = await createUser();
    await using disk = await smallDisk(140);
    await using server = await startServe(user, { dataFolder: join(disk.path, "data") });
    const small = await noisyApp(user, "steady", 1);
    expect((await runJson(user, ["deploy", small, "--server", server.api])).code).toBe(0);
    const filler = join(disk.path, "filler");
    Bun.spawnSync(["sh", "-c", `head -c 1000000000 /dev/zero > '${filler}'`]); // until nothing fits any more
    await writeFile(join(small, "noise.bin"), crypto.getRandomValues(new Uint8Array(60_000)));
    const { code, json } = await runJson(user, ["deploy", small, "--server", server.api]);
    expect(code).not.toBe(0);
    expect(json.message).toMatch(/space|full/);
    expect(await (await server.ask("steady")).text()).toBe("steady");
    await rm(filler);
  });

  test("an unpack folder without room fails the release with disk_full, and what ran goes on", async () => {
    await using user = await createUser();
    await using disk = await smallDisk(200);
    await using server = await startServe(user, { dataFolder: join(disk.path, "data") });
    const folder = await noisyApp(user, "grows", 1);
    expect((await runJson(user, ["deploy", folder, "--server", server.api])).code).toBe(0);
    // Small as an artifact, too large unpacked, and not so regular that it would be taken for a bomb.
    const sparse = new Uint8Array(400_000_000);
    for (let at = 0; at < sparse.length; at += 1_000) crypto.getRandomValues(sparse.subarray(at, at + 40));
    await writeFile(join(folder, "sparse.bin"), sparse);
    const { code, json } = await runJson(user, ["deploy", folder, "--server", server.api]);
    expect(code).toBe(20);
    expect(json).toMatchObject({
      code: "deployment_failed",
      failure_reason: "disk_full",
      failure_message: expect.stringMatching(/space|full/),
    });
    expect(await (await server.ask("grows")).text()).toBe("grows");
  });
});
