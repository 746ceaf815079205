import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../lib/errors.ts";

const pattern = /^\.aether-unpack-(\d+)-[0-9a-f]{16}$/;

/** No unpacking takes this long (`UnpackLimits.ms`), so an older folder is nobody's, whoever has its process id now. */
const abandonedAfterMs = 60 * 60_000;

/** The folders this process is filling: a predecessor in another container may have had our process id. */
const ours = new Set<string>();

/** A name in `parent` for a folder that is not a release yet, or no longer. */
export function stagingPath(parent: string): string {
  return join(parent, `.aether-unpack-${process.pid}-${randomBytes(8).toString("hex")}`);
}

/** Makes an empty staging folder in `parent`. */
export async function createStaging(parent: string): Promise<string> {
  const folder = stagingPath(parent);
  ours.add(basename(folder));
  await mkdir(folder, { mode: 0o755 });
  return folder;
}

/** Removes a staging folder, filled or not, there or not. */
export async function removeStaging(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  ours.delete(basename(folder));
}

/** Removes what killed processes left in `parent`. */
export async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!pattern.test(name) || ours.has(name)) continue;
    if (await isAbandoned(parent, name)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function isAbandoned(parent: string, name: string): Promise<boolean> {
  const pid = Number(pattern.exec(name)?.[1]);
  if (pid === process.pid || !isRunning(pid)) return true;
  const found = await stat(join(parent, name)).catch(() => undefined); // gone: another one removes it
  return found !== undefined && Date.now() - found.mtimeMs > abandonedAfterMs;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

/** Whether the file system of `folder` finds it under an upper-case name too. */
export function foldsCase(folder: string): boolean {
  return existsSync(join(dirname(folder), basename(folder).toUpperCase()));
}
