import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TreeEntry } from "../../artifact/pack/tree-entry.ts";
import { walkTree } from "../../artifact/pack/walk.ts";
import { messageOf } from "../../lib/errors.ts";

/** What the file system said of a folder at one moment: enough to tell that its artifact would be another one. */
export interface TreeLook {
  /** By path; whatever is written to a file or link changes its mark. */
  marks: ReadonlyMap<string, string>;
  /** The folders in which something may appear, relative and without a slash at their end; "" is the root. */
  folders: ReadonlySet<string>;
  /** Why it cannot be packed as it is now. */
  trouble: string | undefined;
}

const nothing: TreeLook = { marks: new Map(), folders: new Set([""]), trouble: undefined };

/** Looks at all that would be packed, as the packer lists it. While it cannot be listed, it is what it was `before`. */
export function lookAt(root: string, before = nothing): TreeLook {
  const marks = new Map<string, string>();
  const folders = new Set([""]);
  try {
    for (const name of decisive) markOf(root, name, marks);
    for (const { entries } of walkTree({ appFolder: root })) for (const entry of entries) add(entry, marks, folders);
    return { marks, folders, trouble: undefined };
  } catch (error) {
    return { ...before, trouble: messageOf(error) };
  }
}

/** The paths that were added, removed or written between two looks, sorted. */
export function changesBetween(before: TreeLook, after: TreeLook): string[] {
  const gone = [...before.marks.keys()].filter((path) => !after.marks.has(path));
  const other = [...after.marks].filter(([path, mark]) => before.marks.get(path) !== mark);
  return [...gone, ...other.map(([path]) => path)].sort();
}

/** Whether nothing at all happened between two looks. */
export function isSameTree(before: TreeLook, after: TreeLook): boolean {
  return before.trouble === after.trouble && changesBetween(before, after).length === 0;
}

/** These decide what is installed and packed, also where they are left out themselves. */
const decisive = [
  ".aetherignore",
  ".npmrc",
  "aether.json",
  "package.json",
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "pnpm-lock.yaml",
  "bun.lock",
];

function markOf(root: string, name: string, marks: Map<string, string>): void {
  const stats = lstatSync(join(root, name), { throwIfNoEntry: false });
  if (stats?.isFile()) marks.set(name, [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino].join(" "));
}

function add(entry: TreeEntry, marks: Map<string, string>, folders: Set<string>): void {
  const { kind, path, size, mtimeMs, ctimeMs, ino, target } = entry;
  // A folder is here when it is empty, and its times change with what is left out of it.
  if (kind === "folder") marks.set(`${path}/`, "");
  else if (!marks.has(path)) marks.set(path, [size, mtimeMs, ctimeMs, ino, target].join(" "));
  // Dependencies have thousands of folders and are written by installs, which end with the lockfile.
  for (let at = kind === "folder" ? path : parentOf(path); !folders.has(at); at = parentOf(at)) {
    if (!isDependency(at)) folders.add(at);
  }
}

const parentOf = (path: string): string => (path.includes("/") ? dirname(path) : "");

const isDependency = (path: string): boolean => path.split("/").includes("node_modules");
