import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { walkTree } from "../../src/artifact/pack/walk.ts";
import { followTree } from "../../src/cli/dev/follow-tree.ts";
import { type Files, folderOf, writeFiles } from "./files.ts";

type Contents = Record<string, string>;

/** Longer than any test: then only hints say that something changed. */
const never = 3_600_000;

/** A real folder that is followed, and a copy of it that is kept by what the following reports alone. */
export async function createFollowed(files: Files, { safetyMs = never } = {}) {
  const folder = await folderOf(files);
  const ended = new AbortController();
  const warnings: string[] = [];
  const turns = followTree(folder.path, {
    signal: ended.signal,
    safetyMs,
    warn: (message) => warnings.push(message),
  });
  const copy: Contents = await truthOf(folder.path);
  await turns.next();

  async function next(coming = turns.next()): Promise<string[]> {
    const { value: changed } = await coming;
    if (changed === undefined) throw new Error("It was followed no longer.");
    const truth = changed.length === 0 ? {} : await truthOf(folder.path); // it may be one that cannot be packed
    for (const path of changed) {
      const content = truth[path];
      if (content === undefined) delete copy[path];
      else copy[path] = content;
    }
    return changed;
  }

  /** All that is reported of an edit that is made while nothing else happens, until the copy is as the folder is. */
  async function edited(edit: () => Promise<unknown>): Promise<string[]> {
    const coming = turns.next(); // looks, sees nothing, and waits for a hint
    await edit();
    const changed = new Set(await next(coming));
    while (!isDeepStrictEqual(copy, await truthOf(folder.path))) for (const path of await next()) changed.add(path);
    return [...changed].sort();
  }

  return {
    path: folder.path,
    warnings,
    write: (more: Files) => writeFiles(folder.path, more),
    edited,
    /** The next change; the time until it is asked for is a reload. */
    next: () => next(),
    /** Whether what was reported is all that happened. */
    isWhole: async () => isDeepStrictEqual(copy, await truthOf(folder.path)),
    async [Symbol.asyncDispose]() {
      ended.abort();
      await turns.return();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** All that is packed by its content, as the packer would read it; empty folders too. */
async function truthOf(root: string): Promise<Contents> {
  const contents: Contents = {};
  for (const { entries } of walkTree({ appFolder: root })) {
    for (const { kind, path, source, target, executable } of entries) {
      if (kind === "folder") contents[`${path}/`] = "folder";
      if (kind === "link") contents[path] = `→ ${target}`;
      if (kind === "file") contents[path] = `${await hashOf(source)} ${executable}`;
    }
  }
  return contents;
}

const hashOf = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
