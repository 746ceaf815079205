import { readFileSync } from "node:fs";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";
import { metadataFolder } from "../../core/artifact-layout.ts";
import { asDiskError, systemCode } from "../../lib/errors.ts";
import { isTemporaryName } from "./temporary-files.ts";

/** The file of a folder that names what not to deploy, in the language of .gitignore. */
export const ignoreFileName = ".aetherignore";

/** The text of a folder's own .aetherignore, "" when it has none. */
export function readIgnoreFile(folder: string): string {
  const path = join(folder, ignoreFileName);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(systemCode(error) ?? "")) return "";
    throw asDiskError(error, "read", path);
  }
}

/** Something in the tree, as the rules see it. */
export interface Candidate {
  /** Relative to the root, without a slash at its end. */
  path: string;
  name: string;
  isFolder: boolean;
  /** `modules`: directly in a node_modules folder; `package`: deeper in one; `app`: in none. */
  place: "app" | "modules" | "package";
}

/**
 * `rule`: left out although nobody asked for it, so it is named; `person`: a line of an .aetherignore asked for it;
 * `unfinished`: what this pack is writing itself, of which nobody needs to hear.
 */
export type Verdict = "take" | "rule" | "person" | "unfinished";

/** The rules that hold in one folder, its parents' included. Folders that are left out are not entered. */
export interface IgnoreRules {
  verdict(candidate: Candidate): Verdict;
  /** The rules below `folder` ("" or with a slash at its end), whose .aetherignore holds `text`. */
  within(folder: string, text: string): IgnoreRules;
}

/** The rules for a tree without any .aetherignore. */
export function createIgnoreRules(): IgnoreRules {
  return rulesOf([]);
}

function rulesOf(lines: string[]): IgnoreRules {
  const inApp = matcherOf(lines);
  const inModules = matcherOf(lines.filter(speaksOfDependencies));
  const wanted = matcherOf(lines.filter(spellsOutLeftOut));
  return {
    verdict(candidate) {
      const { path, name, isFolder, place } = candidate;
      // nearly all there is: ordinary names inside packages
      if (place === "package" && inModules === undefined && !name.startsWith(".")) return "take";
      if (place === "app" && isTemporaryName(name)) return "unfinished";
      if (isReserved(path) || isEarlierPack(candidate)) return "rule";
      if (isLeftOut(candidate) && !wanted?.test(asPattern(path, isFolder)).unignored) return "rule";
      const asked = place === "app" ? inApp : inModules;
      return asked?.ignores(asPattern(path, isFolder)) ? "person" : "take";
    },
    within: (folder, text) => rulesOf([...lines, ...linesOf(text).map((line) => below(folder, line))]),
  };
}

const asPattern = (path: string, isFolder: boolean): string => (isFolder ? `${path}/` : path);

/** Left out whatever an .aetherignore says: dependencies come from an install, `.aether/` from the packer. */
const isReserved = (path: string): boolean => path === "node_modules" || path.toLowerCase() === metadataFolder;

/** What `--pack-only` wrote: taken in, each pack would hold the last one, and no two would be the same. */
const isEarlierPack = ({ name, place }: Candidate): boolean =>
  place === "app" && /^app-[0-9a-f]{64}\.(tar\.gz|manifest\.json)$/.test(name);

const namesLeftOut = new Set([".git", ".hg", ".svn", ".DS_Store", ".npmrc"]);

/** What package managers keep in node_modules with times or absolute paths. */
const installState = new Set([
  ".cache",
  ".modules.yaml",
  ".package-lock.json",
  ".pnpm-workspace-state.json",
  ".pnpm-workspace-state-v1.json",
  ".yarn-integrity",
  ".yarn-state.yml",
]);

/**
 * Dependencies keep their `*.pem`: those are published for everyone, and some (certificate bundles) are needed to run.
 * Their `.env*` and `.npmrc` are left out like any other: no package needs them, and a local one may have been copied.
 */
function isLeftOut({ name, place, path }: Candidate): boolean {
  if (namesLeftOut.has(name) || name.startsWith(".env")) return true;
  if (place === "modules") return installState.has(name);
  return place === "app" && (name.endsWith(".pem") || path.endsWith(".yarn/install-state.gz"));
}

/**
 * A line such as `test/` or `src/` is about the application, and would break half of all packages. Inside node_modules
 * only lines hold that name it and something in it; a mere `node_modules` or `node_modules/**` is habit.
 */
const speaksOfDependencies = (line: string): boolean => /node_modules\/(?![*/]+$)./.test(line);

/** `!dist/**` must not bring `dist/.env` back: only a line that spells out such a name takes it in. */
function spellsOutLeftOut(line: string): boolean {
  const name = line.replace(/\/$/, "").split("/").at(-1)?.replace(/^!/, "") ?? "";
  return (
    line.startsWith("!") && (installState.has(name) || isLeftOut({ name, place: "app", path: line, isFolder: false }))
  );
}

function matcherOf(lines: string[]): Ignore | undefined {
  return lines.length === 0 ? undefined : ignore({ ignorecase: false }).add(lines);
}

function linesOf(text: string): string[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  return lines.filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

/** A line of `folder`'s own file, said from the root: one list in which the last match wins gives git's precedence. */
function below(folder: string, line: string): string {
  if (folder === "") return line;
  const negated = line.startsWith("!");
  const pattern = negated ? line.slice(1) : line.replace(/^\\([!#])/, "$1");
  const anchored = /\/(?!\s*$)/.test(pattern);
  const base = folder.replace(/[\\*?[\]! #]/g, "\\$&");
  return `${negated ? "!" : ""}/${base}${anchored ? pattern.replace(/^\//, "") : `**/${pattern}`}`;
}
