import { randomUUID } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";

const dayMs = 86_400_000;
const pattern = /^\.tmp-([0-9a-z]+)-(\d+)-/;

/** A name for a file that is not finished; it says whose it is, so that a later run can clean up after a killed one. */
export function temporaryPath(folder: string): string {
  return join(folder, `.tmp-${host()}-${process.pid}-${randomUUID()}`);
}

/** Whether a name was made by `temporaryPath`. */
export const isTemporaryName = (name: string): boolean =>
  /^\.tmp-[0-9a-z]+-\d+-[0-9a-f]{8}(-[0-9a-f]{4,12}){4}$/.test(name);

/** Deletes what killed processes of this machine left in `folder`, and what anyone left a day ago. */
export function removeAbandonedFiles(folder: string, now: Date): void {
  for (const name of readdirSync(folder)) {
    const [, owner, pid] = pattern.exec(name) ?? [];
    if (owner === undefined) continue;
    const path = join(folder, name);
    const isOurs = owner === host();
    const mtimeMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if ((isOurs && !isRunning(Number(pid))) || now.getTime() - mtimeMs > dayMs) rmSync(path, { force: true });
  }
}

/** Containers that share a folder count processes each from 1, but have different host names. */
const host = (): string => Bun.hash.crc32(hostname()).toString(36);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === "EPERM"; // somebody else's, and alive
  }
}
