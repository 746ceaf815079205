import { cp, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { create } from "tar";
import { asDiskError, systemCode } from "../lib/errors.ts";

const dayMs = 86_400_000;
const kept = 3;
const namePattern = /^pglite-(\d{4}-\d{2}-\d{2}T\d{2})-(\d{2})-(\d{2}\.\d{3}Z)\.tar\.gz$/;

export interface Backup {
  file: string;
  at: Date;
}

/** Copies of the database in the data folder, newest first. */
export async function listBackups(dataFolder: string): Promise<Backup[]> {
  const folder = join(dataFolder, "backups");
  const names = await readdir(folder).catch((error) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      const [, hours, minutes, seconds] = namePattern.exec(name) ?? [];
      return hours ? [{ file: join(folder, name), at: new Date(`${hours}:${minutes}:${seconds}`) }] : [];
    })
    .sort((a, b) => b.at.getTime() - a.at.getTime());
}

/** Whether a day has passed since the newest backup. */
export async function isBackupDue(dataFolder: string, now: Date): Promise<boolean> {
  const [newest] = await listBackups(dataFolder);
  return newest === undefined || now.getTime() - newest.at.getTime() >= dayMs;
}

/**
 * Packs the database folder and keeps the three newest packs. The files are copied while `hold` keeps every query
 * waiting, so they are what a crash at that moment would leave, which Postgres recovers from.
 */
export async function backUp(
  dataFolder: string,
  { hold, now }: { hold: (copy: () => Promise<void>) => Promise<void>; now: Date },
): Promise<Backup> {
  const folder = join(dataFolder, "backups");
  const copy = join(folder, ".copy");
  const file = join(folder, `pglite-${now.toISOString().replaceAll(":", "-")}.tar.gz`);
  try {
    await rm(copy, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await hold(() => cp(join(dataFolder, "pglite"), copy, { recursive: true }));
    await create({ file: `${file}.part`, gzip: { level: 1 }, cwd: copy, portable: true }, ["."]);
    await syncFile(`${file}.part`);
    await rename(`${file}.part`, file);
    for (const { file: old } of (await listBackups(dataFolder)).slice(kept)) await rm(old, { force: true });
    return { file, at: now };
  } catch (error) {
    throw asDiskError(error, "back up the database to", folder);
  } finally {
    await rm(copy, { recursive: true, force: true });
    await rm(`${file}.part`, { force: true });
  }
}

/** What a person can do whose database does not open. */
export async function describeBackups(dataFolder: string): Promise<string> {
  const path = join(dataFolder, "pglite");
  const [newest] = await listBackups(dataFolder);
  if (newest === undefined) {
    return `There is no backup yet. To begin with an empty database: mv ${path} ${path}.broken`;
  }
  return [
    `The newest backup is ${newest.file}, of ${newest.at.toISOString()}. To go back to it:`,
    `mv ${path} ${path}.broken && mkdir -m 700 ${path} && tar -xzf ${newest.file} -C ${path}`,
  ].join("\n");
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  await handle.sync().finally(() => handle.close());
}
