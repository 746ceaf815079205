import { createHash, randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ignoring } from "./object-files.ts";

/**
 * A signature cannot be taken back, a grant can: each upload URL names the grant of its key, a small file that
 * abandoning the upload deletes. The file's time is the latest expiry of the URLs that name it.
 */
export type UploadGrants = ReturnType<typeof createUploadGrants>;

export function createUploadGrants(folder: string) {
  const root = join(folder, "grants");
  const pathOf = (key: string): string => join(root, createHash("sha256").update(key).digest("hex"));
  const find = (key: string): Promise<string | undefined> => ignoring(["ENOENT"], readFile(pathOf(key), "utf8"));

  return {
    /** The grant of `key`, made when there is none; it lives at least until `expires`. */
    async give(key: string, expires: Date): Promise<string> {
      const path = pathOf(key);
      await mkdir(root, { recursive: true, mode: 0o700 });
      for (let attempt = 1; attempt <= 5; attempt += 1) {
        const grant = (await find(key)) ?? (await create(path));
        const current = await ignoring(["ENOENT"], stat(path));
        if (grant === undefined || current === undefined) continue; // made or ended by another at this moment
        if (current.mtime < expires) await ignoring(["ENOENT"], utimes(path, expires, expires));
        return grant;
      }
      throw new Error(`The upload grant of ${key} keeps changing.`);
    },

    holds: async (key: string, grant: string): Promise<boolean> => (await find(key)) === grant,

    end: (key: string): Promise<void> => rm(pathOf(key), { force: true }),

    async sweep(now: Date): Promise<void> {
      for (const name of (await ignoring(["ENOENT"], readdir(root))) ?? []) {
        const found = await ignoring(["ENOENT"], stat(join(root, name)));
        if (found && found.mtime < now) await rm(join(root, name), { force: true });
      }
    },
  };
}

/** Written whole and then linked: a reader never sees half a grant, and of two writers one wins. */
async function create(path: string): Promise<string | undefined> {
  const grant = randomBytes(16).toString("hex");
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, grant, { mode: 0o600 });
    return await ignoring(
      ["EEXIST"],
      link(temporary, path).then(() => grant),
    );
  } finally {
    await rm(temporary, { force: true });
  }
}
