import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { AetherError, asDiskError, systemCode } from "../../lib/errors.ts";
import { isAscii, printable } from "./entry-name.ts";
import { checkLink } from "./link-target.ts";

/** One thing to pack, with what the file system said about it. */
export interface TreeEntry {
  kind: "file" | "folder" | "link";
  /** Inside the artifact, without a slash at its end. */
  path: string;
  /** The last part of the path. */
  name: string;
  /** On this disk. */
  source: string;
  /** Of a file, else 0. */
  size: number;
  executable: boolean;
  /** Of a link, else empty. */
  target: string;
  mtimeMs: number;
  ctimeMs: number;
  ino: number;
}

/** A name in a folder and what stands behind it, not yet judged. */
export interface Child {
  name: string;
  /** Relative to the root. */
  path: string;
  /** On this disk. */
  source: string;
  stats: Stats;
  isFolder: boolean;
  isUtf8: boolean;
  /** The name, for a folder with a slash behind it. */
  sortName: string;
}

/** What a folder holds, sorted by bytes as if the names of folders ended with a slash. `folder` is "" or ends with one. */
export function childrenOf(root: string, folder: string): Child[] {
  const base = `${root}/${folder}`;
  const children: Child[] = [];
  let ascii = true;
  for (const listed of namesIn(base)) {
    const name = typeof listed === "string" ? listed : listed.name;
    const source = base + name;
    const stats = lstatSync(typeof listed === "string" ? source : listed.raw, { throwIfNoEntry: false });
    if (stats === undefined) continue; // gone since the folder was read
    const isFolder = stats.isDirectory();
    const sortName = isFolder ? `${name}/` : name;
    children.push({ name, sortName, path: folder + name, source, stats, isFolder, isUtf8: typeof listed === "string" });
    ascii &&= isAscii(name);
  }
  return children.sort(ascii ? byUnits : byUtf8);
}

const byUnits = (a: Child, b: Child): number => (a.sortName < b.sortName ? -1 : 1);

const byUtf8 = (a: Child, b: Child): number => Buffer.compare(Buffer.from(a.sortName), Buffer.from(b.sortName));

/** What is packed for a child that is neither left out nor a folder with something in it. */
export function toEntry({ name, path, source, stats, isFolder }: Child, root: string): TreeEntry {
  const { mtimeMs, ctimeMs, ino } = stats;
  const isFile = stats.isFile();
  const isLink = stats.isSymbolicLink();
  if (!isFile && !isFolder && !isLink) throw notPackable(path, stats);
  const target = isLink ? readlinkSync(source) : "";
  if (isLink) checkLink({ path, source, target, root });
  return {
    kind: isFile ? "file" : isFolder ? "folder" : "link",
    path,
    name,
    source,
    size: isFile ? stats.size : 0,
    executable: isFile && (stats.mode & 0o100) !== 0,
    target,
    mtimeMs,
    ctimeMs,
    ino,
  };
}

/** A name that is not valid UTF-8 comes with its whole path in bytes, since text cannot carry it. */
function namesIn(folder: string): (string | { name: string; raw: Buffer })[] {
  try {
    const names = readdirSync(folder);
    if (!names.join("").includes("\ufffd")) return names;
    return readdirSync(folder, { encoding: "buffer" }).map((bytes) => {
      const name = bytes.toString();
      return Buffer.from(name).equals(bytes) ? name : { name, raw: Buffer.concat([Buffer.from(folder), bytes]) };
    });
  } catch (error) {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw asDiskError(error, "read", folder);
    throw new AetherError("not_a_project", `There is no folder ${folder}.`, { cause: error, hint: "Check the path." });
  }
}

function notPackable(path: string, stats: Stats): AetherError {
  const kind = stats.isSocket() ? "a socket" : stats.isFIFO() ? "a named pipe" : "a device";
  return new AetherError(
    "preflight_failed",
    `Cannot pack "${printable(path)}": it is ${kind}, which no artifact can hold.`,
    {
      hint: "Remove it, or leave it out with a line in .aetherignore.",
      details: { path: printable(path) },
    },
  );
}
