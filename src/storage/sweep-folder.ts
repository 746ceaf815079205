import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ignoring } from "./object-files.ts";

/** Deletes the files of `folder` that nothing has written to since `before`. */
export async function sweepFolder(folder: string, before: Date): Promise<void> {
  for (const name of (await ignoring(["ENOENT"], readdir(folder))) ?? []) {
    const found = await ignoring(["ENOENT"], stat(join(folder, name)));
    if (found && found.mtime <= before) await rm(join(folder, name), { force: true });
  }
}
