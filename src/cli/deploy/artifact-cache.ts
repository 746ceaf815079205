import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

const keptArtifacts = 10;
/** Nothing younger is removed: another deploy may be uploading it. */
const safeAgeMs = 3_600_000;

/** Removes packed artifacts, and what lies beside them, that no deploy will ask for any more; what cannot be removed stays. */
export async function pruneArtifacts(folder: string, now: Date): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^app-[0-9a-f]{64}\.tar\.gz$/.test(name));
  const aged = await Promise.all(
    names.map(async (name) => ({
      name,
      usedAt: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  const surplus = aged.sort((a, b) => b.usedAt - a.usedAt).slice(keptArtifacts);
  for (const { name } of surplus.filter(({ usedAt }) => now.getTime() - usedAt > safeAgeMs)) {
    const besides = [".manifest.json", ".sig"].map((ending) => name.replace(/\.tar\.gz$/, ending));
    for (const path of [name, ...besides]) await rm(join(folder, path), { force: true }).catch(() => {});
  }
}
