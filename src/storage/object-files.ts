import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../lib/durable-write.ts";
import { systemCode } from "../lib/errors.ts";
import { isObjectKey } from "./object-key.ts";
import type { StoredObject } from "./storage.ts";

/** Finished objects as files: `objects/<key>`, each made from a finished file by one link and never written again. */
export type ObjectFiles = ReturnType<typeof createObjectFiles>;

export function createObjectFiles(folder: string) {
  const root = join(folder, "objects");
  const pathOf = (key: string): string => {
    if (!isObjectKey(key)) throw new Error(`Not a storage key: ${JSON.stringify(key)}`);
    return join(root, key);
  };

  return {
    pathOf,

    async head(key: string): Promise<StoredObject | undefined> {
      const found = await ignoring(["ENOENT", "ENOTDIR"], stat(pathOf(key)));
      return found?.isFile() ? { key, sizeBytes: found.size, modifiedAt: found.mtime } : undefined;
    },

    /** Gives the finished file `from` the name `key`, durably; false when that object exists. */
    async add(from: string, key: string): Promise<boolean> {
      const path = pathOf(key);
      for (let attempt = 1; ; attempt += 1) {
        try {
          await mkdir(dirname(path), { recursive: true, mode: 0o700 });
          await link(from, path);
          break;
        } catch (error) {
          if (systemCode(error) === "EEXIST") return false;
          if (systemCode(error) !== "ENOENT" || attempt === 5) throw error; // ENOENT: `remove` took the empty folder
        }
      }
      for (let parent = dirname(path); parent.length >= root.length; parent = dirname(parent)) await syncFolder(parent);
      return true;
    },

    async remove(key: string): Promise<void> {
      const path = pathOf(key);
      await rm(path, { force: true });
      for (let parent = dirname(path); parent.length > root.length; parent = dirname(parent)) {
        const removed = await ignoring(
          ["ENOTEMPTY", "EEXIST", "ENOENT"],
          rmdir(parent).then(() => true),
        );
        if (!removed) return;
      }
    },

    async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
      for await (const key of walk(root, "", { prefix, after })) {
        const found = await this.head(key);
        if (found) yield found;
      }
    },

    /** Proves that a file can be written, synced and linked here. */
    async check(): Promise<void> {
      const probe = join(folder, `.check-${randomUUID()}`);
      const key = `check/${randomUUID()}`;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const handle = await open(probe, "wx", 0o600);
        await handle.writeFile("aether").finally(() => handle.close());
        await this.add(probe, key);
      } finally {
        await this.remove(key);
        await rm(probe, { force: true });
      }
    },
  };
}

interface Walk {
  prefix: string;
  after: string | undefined;
}

/** The keys under `folder` that start with `prefix`, folder by folder in order; those that cannot hold one are not read. */
async function* walk(root: string, folder: string, wanted: Walk): AsyncGenerator<string> {
  const { prefix, after } = wanted;
  const entries = (await ignoring(["ENOENT"], readdir(join(root, folder), { withFileTypes: true }))) ?? [];
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const key = folder === "" ? entry.name : `${folder}/${entry.name}`;
    const mayHold = `${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`);
    if (after !== undefined && isBefore(key, after)) continue;
    if (entry.isDirectory() && mayHold) yield* walk(root, key, wanted);
    if (entry.isFile() && key.startsWith(prefix) && key !== after) yield key;
  }
}

/** Whether a walk comes to `key`, and all that lies under it, before it comes to `other`. */
function isBefore(key: string, other: string): boolean {
  const others = other.split("/");
  for (const [at, name] of key.split("/").entries()) {
    const otherName = others[at];
    if (otherName === undefined || name !== otherName) return otherName !== undefined && name < otherName;
  }
  return false;
}

/** The promise's value, or undefined when it failed with one of `codes`. */
export async function ignoring<T>(codes: string[], promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codes.includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
