import { mkdir, readdir, readFile, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { extract } from "tar";
import { AetherError, asDiskError, systemCode } from "../lib/errors.ts";
import { describeBackups } from "./backup.ts";
import type { DataFolder } from "./data-folder.ts";
import { embeddedPostgresMajor, emptyDatabase } from "./pglite.ts";

const neededBytes = 64_000_000; // an empty database takes 40 MB, half of it log

/** The folder of the embedded database, whole: created where there is none, refused where it is damaged. */
export async function ensureDatabaseFolder(folder: DataFolder): Promise<{ path: string; created: boolean }> {
  const path = join(folder.path, "pglite");
  try {
    await removeLeftovers(folder.path);
    const names = await readdir(folder.path);
    if (!names.includes("pglite") && names.includes("pglite.restored")) await rename(`${path}.restored`, path);
    else if (!names.includes("pglite")) return { path, created: await create(folder.path, path) };
  } catch (error) {
    throw asDiskError(error, "prepare the database in", folder.path);
  }
  await demandWhole(path, folder);
  return { path, created: false };
}

/**
 * Puts the backup `file` in the place of the database, which must be closed. The replaced one is kept beside it. Each
 * step leaves a state from which the next start goes on: `pglite.restored` is whole as soon as it has that name.
 */
export async function restoreBackup(folder: DataFolder, file: string, now: Date): Promise<{ replaced: string }> {
  const path = join(folder.path, "pglite");
  const replaced = `${path}.broken-${now.toISOString().replaceAll(":", "-")}`;
  try {
    await removeLeftovers(folder.path);
    await unpackWhole(folder.path, `${path}.restored`, (staging) => extract({ file, cwd: staging, strict: true }));
    await rename(path, replaced).catch((error) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    await rename(`${path}.restored`, path);
    return { replaced };
  } catch (error) {
    throw asDiskError(error, "restore the database in", folder.path);
  }
}

/** Why the database in `path` does not open, as far as the disk can tell, and how the data comes back. */
export async function damaged(why: string, folder: DataFolder, cause?: unknown): Promise<AetherError> {
  const path = join(folder.path, "pglite");
  if ((await freeBytes(folder.path)) < neededBytes / 2) return noSpace(path, cause);
  return new AetherError("disk_failed", `The database in ${path} cannot be opened: ${why}`, {
    cause,
    hint: await describeBackups(folder.path),
  });
}

/** Unpacks beside the final place and renames: a folder named `pglite` is always a whole database. */
async function create(dataFolder: string, path: string): Promise<boolean> {
  if ((await freeBytes(dataFolder)) < neededBytes) throw noSpace(path);
  await unpackWhole(dataFolder, path, async (staging) => {
    await new Bun.Archive(await emptyDatabase().bytes()).extract(staging);
  });
  return true;
}

async function unpackWhole(dataFolder: string, path: string, unpack: (staging: string) => Promise<void>) {
  const staging = join(dataFolder, `.pglite-${process.pid}`);
  try {
    await mkdir(staging, { mode: 0o700 });
    await unpack(staging);
    await readFile(join(staging, "PG_VERSION"));
    await rename(staging, path);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
}

async function removeLeftovers(dataFolder: string): Promise<void> {
  const leftovers = (await readdir(dataFolder)).filter((name) => name.startsWith(".pglite-"));
  for (const name of leftovers) await rm(join(dataFolder, name), { recursive: true, force: true });
}

/** PGlite takes a folder without PG_VERSION for an empty one, and would run `initdb` over the data in it. */
async function demandWhole(path: string, folder: DataFolder): Promise<void> {
  let version: string;
  try {
    version = (await readFile(join(path, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw asDiskError(error, "read", path);
    throw await damaged("its file PG_VERSION is missing.", folder, error);
  }
  if (version !== embeddedPostgresMajor) {
    throw await damaged(`it is of Postgres ${version}, this build holds ${embeddedPostgresMajor}.`, folder);
  }
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function noSpace(path: string, cause?: unknown): AetherError {
  return new AetherError("disk_failed", `There is too little space on the disk for the database in ${path}.`, {
    cause,
    hint: `Free at least ${neededBytes / 1_000_000} MB there and start again; nothing is lost.`,
  });
}
