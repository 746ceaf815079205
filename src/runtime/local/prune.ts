import { randomUUID } from "node:crypto";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDigest } from "../../core/digest.ts";
import { systemCode } from "../../lib/errors.ts";
import type { Release } from "../runtime.ts";
import type { AppLayout } from "./layout.ts";

const releasesKept = 2;
const logsKept = 4;

/** The folder name of one start of a release, in which its replicas' logs lie. */
export const logFolderName = (version: number, startedAt: Date): string => `v${version}-${startedAt.getTime()}`;

/** Removes unpacked releases and logs that are neither in use nor among the last few. */
export async function pruneApp(layout: AppLayout, inUse: Release[]): Promise<void> {
  const digests = new Set(inUse.map((release) => release.digest));
  const releases = await newestFirst(layout.releases, (name) => isDigest(name) && !digests.has(name));
  for (const name of releases.slice(releasesKept)) await removeFolder(layout.releases, name);
  const versions = inUse.map((release) => `v${release.version}-`);
  const logs = await newestFirst(layout.logs, (name) => !versions.some((version) => name.startsWith(version)));
  for (const name of logs.slice(logsKept)) await removeFolder(layout.logs, name);
}

/** Removes what killed agents and a killed `pruneApp` left half done. Nothing of ours may run meanwhile. */
export async function removeHalfDone(layout: AppLayout): Promise<void> {
  for (const folder of [layout.releases, layout.logs]) {
    const names = await namesIn(folder);
    for (const name of names.filter((one) => /^\.(download|trash)-/.test(one))) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

/** Renamed first: half a release must not be taken for a whole one when we are killed here. */
async function removeFolder(folder: string, name: string): Promise<void> {
  const trash = join(folder, `.trash-${randomUUID()}`);
  await rename(join(folder, name), trash);
  await rm(trash, { recursive: true, force: true });
}

async function newestFirst(folder: string, wanted: (name: string) => boolean): Promise<string[]> {
  const names = (await namesIn(folder)).filter(wanted);
  const dated = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  return dated.sort((a, b) => b.at - a.at).map(({ name }) => name);
}

/** The names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
