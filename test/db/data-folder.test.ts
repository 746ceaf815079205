import { expect, test } from "bun:test";
import { readdir, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { openDataFolder } from "../../src/db/data-folder.ts";
import { linesOf } from "../harness/lines-of.ts";
import { smallDisk, smallDiskTier } from "../harness/small-disk.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const options = { command: "aether serve", now: () => new Date("2026-01-31T12:00:00Z") };
const holder = join(import.meta.dir, "../harness/database-process.ts");

test("a data folder is made for its owner only, and locked until it is released", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "new", "data");
  const held = await openDataFolder(path, options);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  await expect(openDataFolder(path, options)).rejects.toMatchObject({ code: "config_invalid" });
  await held.release();
  await held.release();
  await (await openDataFolder(path, options)).release();
  expect(await readdir(path)).toEqual(["lock.sqlite"]);
});

test("the second process is told who has the folder, since when, and what to do", async () => {
  await using folder = await temporaryFolder();
  await openDataFolder(folder.path, options);
  await using second = linesOf(holder, [folder.path]);
  const message = await second.stderr();
  expect(message).toContain(
    `in use by process ${process.pid} on ${hostname()} since 2026-01-31T12:00:00.000Z (aether serve)`,
  );
  expect(message).toContain(`kill ${process.pid}`);
  expect(message).toContain("--data-dir");
  expect(await second.process.exited).not.toBe(0);
});

test("a killed process frees its folder at once", async () => {
  await using folder = await temporaryFolder();
  await using first = linesOf(holder, [folder.path, "0", "open"]);
  expect(await first.next()).toBe("locked");
  await expect(openDataFolder(folder.path, options)).rejects.toThrow(`process ${first.process.pid}`);
  first.process.kill("SIGKILL");
  await first.process.exited;
  await (await openDataFolder(folder.path, options)).release();
});

test("a holder file that is broken or missing does not hide that the folder is in use", async () => {
  await using folder = await temporaryFolder();
  await openDataFolder(folder.path, options);
  await writeFile(join(folder.path, "lock.json"), "{ half");
  await expect(openDataFolder(folder.path, options)).rejects.toThrow("in use by another process");
});

test("a file in the folder's place is named", async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, "file");
  await writeFile(path, "");
  await expect(openDataFolder(path, options)).rejects.toThrow(path);
});

test.skipIf(!smallDiskTier().available)("a full disk is said to be full, and the lock is not kept", async () => {
  await using disk = await smallDisk(1);
  await writeFile(join(disk.path, "ballast"), new Uint8Array(2_000_000)).catch(() => {}); // as much as fits
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(openDataFolder(disk.path, options)).rejects.toMatchObject({
      code: "disk_failed",
      message: expect.stringContaining("no space is left on the device"),
    });
  }
});
