import { mkdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { writeFileDurably } from "../lib/durable-write.ts";
import { AetherError, asDiskError, asFolderError, systemCode } from "../lib/errors.ts";
import { type ProcessLock, tryProcessLock } from "../lib/process-lock.ts";

/** The server's own folder, held by this process and no other until `release`. */
export interface DataFolder {
  readonly path: string;
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  host: string;
  started_at: string;
  command: string;
}

/** Creates the folder where it is missing and locks it, before anything else reads or writes in it. */
export async function openDataFolder(path: string, options: { command: string; now: () => Date }): Promise<DataFolder> {
  const folder = resolve(path);
  const holderFile = join(folder, "lock.json");
  const lock = await lockFolder(folder, holderFile);
  try {
    await writeFileDurably(holderFile, `${JSON.stringify(thisProcess(options), null, 2)}\n`);
  } catch (error) {
    lock.release();
    throw asDiskError(error, "write to the data folder", folder);
  }
  return {
    path: folder,
    async release() {
      await rm(holderFile, { force: true });
      lock.release();
    },
  };
}

async function lockFolder(folder: string, holderFile: string): Promise<ProcessLock> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const lock = tryProcessLock(join(folder, "lock.sqlite"));
    if (lock !== undefined) return lock;
  } catch (error) {
    throw asLockError(error, folder);
  }
  throw await inUse(folder, holderFile);
}

/** Who has the folder, from the file beside the lock. The file only tells; the lock decides. */
async function inUse(folder: string, holderFile: string): Promise<AetherError> {
  const holder = await readHolder(holderFile);
  const who = holder
    ? `process ${holder.pid} on ${holder.host} since ${holder.started_at} (${holder.command})`
    : "another process";
  return new AetherError("config_invalid", `The data folder ${folder} is in use by ${who}.`, {
    hint: `Stop that process${holder ? ` (kill ${holder.pid})` : ""}, or choose another folder with --data-dir.`,
    details: holder ? { holder } : {},
  });
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function thisProcess({ command, now }: { command: string; now: () => Date }): Holder {
  return { pid: process.pid, host: hostname(), started_at: now().toISOString(), command };
}

/** SQLite names disk trouble in codes of its own. */
function asLockError(error: unknown, folder: string): unknown {
  if (!systemCode(error)?.startsWith("SQLITE_")) return asFolderError(error, "use the data folder", folder);
  return new AetherError("disk_failed", `Cannot lock the data folder ${folder}: ${systemCode(error)}.`, {
    cause: error,
    hint: "Check that the folder can be written and has space left; a network folder must support locks.",
  });
}
