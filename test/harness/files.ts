import { mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** File contents by path: text, bytes, or an object that becomes JSON. */
export type Files = Record<string, string | Uint8Array | object>;

/** A temporary folder with these files: `await using folder = await folderOf({ "a/b.js": "…" })`. */
export async function folderOf(files: Files = {}) {
  const folder = await temporaryFolder();
  await writeFiles(folder.path, files);
  return folder;
}

/** Writes files below `folder`, and returns it. */
export async function writeFiles(folder: string, files: Files): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    const isJson = typeof content !== "string" && !(content instanceof Uint8Array);
    await writeFile(path, isJson ? JSON.stringify(content) : content);
  }
  return folder;
}

/** Every path below `folder` with its content, for comparing a folder before and after. */
export async function snapshotOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const contents = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) return [path, `→ ${await readlink(path)}`] as const;
    return [path, entry.isFile() ? (await readFile(path)).toString("base64") : "folder"] as const;
  });
  return Object.fromEntries((await Promise.all(contents)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
