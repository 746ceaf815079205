import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { asDiskError, systemCode } from "../../lib/errors.ts";

/** Kept entries; one is a whole node_modules. */
const keptEntries = 20;
/** Nothing younger is removed: another command may be packing from it, or installing into it. */
const safeAgeMs = 3_600_000;

/**
 * Installed trees in `folder`, one `<key>.<generation>` each. They are made in a temporary folder and renamed, so an
 * entry is whole or not there; `--no-cache` adds a generation rather than pull a tree from under another command.
 */
export interface InstallCache {
  find(key: string): Promise<string | undefined>;
  /** A new temporary folder for this key. */
  stage(key: string): Promise<string>;
  /** Makes a staged folder the entry of its key; `fresh: false` takes one that another command has made meanwhile. */
  commit(key: string, staged: string, options: { fresh: boolean }): Promise<string>;
  /** Removes what is old: entries beyond the bound, leftovers of killed installs. */
  evict(): Promise<void>;
}

export function createInstallCache(folder: string, now: () => Date): InstallCache {
  const pathOf = (key: string, generation: number) => join(folder, `${key}.${generation}`);

  async function newest(key: string): Promise<number> {
    const generations = (await names())
      .filter((name) => name.startsWith(`${key}.`))
      .map((name) => Number(name.slice(key.length + 1)));
    return Math.max(0, ...generations.filter(Number.isInteger));
  }

  async function names(): Promise<string[]> {
    try {
      return await readdir(folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw asDiskError(error, "read", folder);
    }
  }

  async function find(key: string): Promise<string | undefined> {
    const generation = await newest(key);
    if (generation === 0) return undefined;
    const path = pathOf(key, generation);
    // The time of the last use decides what is evicted; a cache that cannot be written still serves.
    await utimes(path, now(), now()).catch(() => {});
    return path;
  }

  async function stage(key: string): Promise<string> {
    const path = join(folder, `${key}.tmp-${randomUUID().slice(0, 8)}`);
    try {
      await mkdir(folder, { recursive: true });
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      throw asDiskError(error, "create", path);
    }
    return path;
  }

  async function commit(key: string, staged: string, { fresh }: { fresh: boolean }): Promise<string> {
    for (let generation = fresh ? (await newest(key)) + 1 : 1; ; generation += 1) {
      const path = pathOf(key, generation);
      try {
        await rename(staged, path);
        return path;
      } catch (error) {
        const taken = ["ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "");
        if (!taken) throw asDiskError(error, "create", path);
        if (!fresh) return (await find(key)) ?? path;
      }
    }
  }

  async function evict(): Promise<void> {
    const found = await Promise.all(
      (await names()).map(async (name) => ({ name, usedAt: await usedAt(join(folder, name)) })),
    );
    const old = found.filter(({ usedAt }) => now().getTime() - usedAt > safeAgeMs);
    const isLeftover = (name: string) => name.includes(".tmp-");
    const entries = found.filter(({ name }) => !isLeftover(name)).sort((a, b) => b.usedAt - a.usedAt);
    const surplus = new Set(entries.slice(keptEntries).map(({ name }) => name));
    for (const { name } of old.filter(({ name }) => isLeftover(name) || surplus.has(name))) await remove(name);
  }

  /** Renamed first, so that an entry which is half removed is not taken for one. */
  async function remove(name: string): Promise<void> {
    const doomed = join(folder, `${name.replace(/\.tmp-.*/, "")}.tmp-${randomUUID().slice(0, 8)}`);
    try {
      await rename(join(folder, name), doomed);
      await rm(doomed, { recursive: true, force: true });
    } catch {
      // Another command removes it too, or it cannot be removed now: the next eviction tries again.
    }
  }

  return { find, stage, commit, evict };
}

/** 0 for one that is gone: then there is nothing to remove. */
const usedAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
