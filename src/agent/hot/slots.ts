import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { verifyUnpacked } from "../../artifact/unpack/unpack.ts";
import type { Digest } from "../../core/digest.ts";
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
