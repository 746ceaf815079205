import { $ } from "bun";
import { temporaryFolder } from "./temporary-folder.ts";
import { type Tier, tier } from "./tier.ts";

/** Whether this process may mount a file system that is small enough to fill. */
export function smallDiskTier(): Tier {
  return tier("small-disk", () =>
    process.platform === "linux" && process.getuid?.() === 0 ? undefined : "mounting a small tmpfs needs root on Linux",
  );
}

/** A folder on a file system of its own with room for `megabytes`. */
export async function smallDisk(megabytes: number) {
  const folder = await temporaryFolder();
  await $`mount -t tmpfs -o size=${megabytes}m tmpfs ${folder.path}`.quiet();
  return {
    path: folder.path,
    async [Symbol.asyncDispose]() {
      await $`umount -l ${folder.path}`.quiet();
      await folder[Symbol.asyncDispose]();
    },
  };
}
