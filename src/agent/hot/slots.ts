import { randomUUID } from "node:crypto";
import { renameSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyUnpacked } from "../../artifact/unpack/unpack.ts";
import type { Digest } from "../../core/digest.ts";
import { systemCode } from "../../lib/errors.ts";
import { slotNames } from "./drains.ts";

export interface SlotSearch {
  workspace: string;
  digest: Digest;
  /** Those that must not be touched, asked for again and again. */
  busy: () => readonly string[];
  signal: AbortSignal;
}

const lookAgainMs = 25;

/** A slot that nothing uses, if there is one with what `digest` was unpacked to before; waits until there is one. */
export async function freeSlot({ workspace, digest, busy, signal }: SlotSearch): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    const taken = busy();
    const free = slotNames.map((name) => join(workspace, name)).filter((folder) => !taken.includes(folder));
    for (const folder of free) {
      if ((await verifyUnpacked(folder, digest)) !== undefined) return folder;
    }
    if (free[0] !== undefined) return free[0];
    await sleep(lookAgainMs, undefined, { signal });
  }
}

const oldPrefix = ".aether-old-";

/**
 * Empties the slots that nobody needs: thousands of files take longer to remove than a save should take to be seen. Renamed
 * before anything else can happen, they are free at once; `keep` are those that are left as they are.
 */
export async function emptySlots(workspace: string, keep: readonly string[]): Promise<void> {
  const folders = slotNames.map((name) => join(workspace, name)).filter((folder) => !keep.includes(folder));
  for (const old of folders.flatMap((folder) => setAside(folder, workspace) ?? [])) {
    await rm(old, { recursive: true, force: true });
  }
}

function setAside(folder: string, workspace: string): string | undefined {
  const old = join(workspace, `${oldPrefix}${randomUUID()}`);
  try {
    renameSync(folder, old);
    return old;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Removes what a killed run was removing. */
export async function removeOld(workspace: string): Promise<void> {
  for (const name of await readdir(workspace)) {
    if (name.startsWith(oldPrefix)) await rm(join(workspace, name), { recursive: true, force: true });
  }
}
