import { realpathSync, statSync } from "node:fs";
import { AetherError, systemCode } from "../../lib/errors.ts";
import { badName, printable } from "./entry-name.ts";

/** A symbolic link of the tree. */
export interface Link {
  /** Inside the artifact. */
  path: string;
  /** On this disk. */
  source: string;
  target: string;
  /** The folder on this disk that `path` is relative to. */
  root: string;
}

/** Refuses a link that would lead elsewhere, or out of the artifact, on another machine. */
export function checkLink(link: Link): void {
  const { path, target } = link;
  if (target.startsWith("/")) throw badLink(link, "it is absolute, and that path means something else elsewhere");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\\\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/.test(target) || /^[A-Za-z]:/.test(target)) {
    throw badName(path, "it is a link whose target holds a character that is not allowed in names");
  }
  const depth = depthBehind(path.split("/").length - 1, target);
  if (depth < 0 || (climbsBack(target) && !staysReally(link))) throw badLink(link, "it leads out of the folder");
  if (depth === 0) throw badLink(link, "it leads to the whole folder, which would then hold itself");
  if (isLoop(link)) throw badLink(link, "it leads in a loop");
}

/** How deep below the root the target lies by its text; negative once it leaves the root on the way. */
function depthBehind(start: number, target: string): number {
  let depth = start;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    depth += part === ".." ? -1 : 1;
    if (depth < 0) return depth;
  }
  return depth;
}

/** Behind a name, `..` may mean the parent of what that name links to: only then the text alone does not decide. */
const climbsBack = (target: string): boolean => /(?:^|\/)(?!\.{1,2}\/)[^/]+\/+(?:\.\/+)*\.\.(?:\/|$)/.test(target);

function staysReally({ source, root }: Link): boolean {
  try {
    return realpathSync(source).startsWith(`${realpathSync(root)}/`);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

function isLoop({ source }: Link): boolean {
  try {
    statSync(source, { throwIfNoEntry: false });
    return false;
  } catch (error) {
    if (systemCode(error) === "ELOOP") return true;
    if (systemCode(error) === "ENOTDIR" || systemCode(error) === "EACCES") return false; // leads to nothing readable
    throw error;
  }
}

function badLink({ path, target }: Link, why: string): AetherError {
  return new AetherError(
    "preflight_failed",
    `Cannot pack the link "${printable(path)}" -> "${printable(target)}": ${why}.`,
    {
      hint: "Put a copy in its place, or leave it out with a line in .aetherignore.",
      details: { path: printable(path) },
    },
  );
}
