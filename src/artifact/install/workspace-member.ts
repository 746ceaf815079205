import { realpath, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { Glob, YAML } from "bun";
import { AetherError } from "../../lib/errors.ts";
import { isObject, readTextIfThere } from "../project/json-file.ts";
import type { PackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";
import { hasWorkspaces } from "./install-command.ts";

/**
 * Refuses a package of a workspace that lies in a folder above, and `workspace:` dependencies outside of any workspace.
 * Installed alone, such a package would ask the public registry for its private siblings, and take what a stranger
 * published there under their name. One with a lockfile of its own stands alone: the lockfile says what is meant.
 */
export async function refuseWorkspaceMember(project: Project, manager: PackageManager): Promise<void> {
  const siblings = hasWorkspaces(project) ? [] : siblingDependencies(project);
  if (manager.lockfile !== undefined && siblings.length === 0) return;
  const root = await workspaceAbove(project.folder);
  if (root !== undefined) throw notSupported(`This folder is a package of the workspace in ${root}`);
  if (siblings.length > 0) throw notSupported(`${siblings.join(", ")} can only be found in a workspace`);
}

function siblingDependencies({ packageJson }: Project): string[] {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = packageJson;
  return Object.entries({ ...peerDependencies, ...devDependencies, ...optionalDependencies, ...dependencies })
    .filter(([, range]) => range.startsWith("workspace:"))
    .map(([name, range]) => `${name}@${range}`);
}

const notSupported = (why: string): AetherError =>
  new AetherError(
    "preflight_failed",
    `${why}, and deploying one package of a workspace is not supported yet. Nothing was installed: its sibling packages would have been asked of the registry.`,
    {
      hint: 'Deploy a folder that stands on its own: with its own lockfile, and with sibling packages inside it as "file:" dependencies.',
    },
  );

/** The nearest folder above whose workspace `folder` belongs to. Nothing above a repository counts. */
async function workspaceAbove(folder: string): Promise<string | undefined> {
  const member = await realpath(folder);
  for (let below = member; below !== dirname(below) && !(await isFolder(join(below, ".git"))); below = dirname(below)) {
    const root = dirname(below);
    const path = relative(root, member).replaceAll(sep, "/");
    if (includes(await workspacePatterns(root), path)) return root;
  }
  return undefined;
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

async function workspacePatterns(root: string): Promise<string[]> {
  const manifest = parsed(JSON.parse, await readTextIfThere(join(root, "package.json")));
  const pnpm = parsed(YAML.parse, await readTextIfThere(join(root, "pnpm-workspace.yaml")));
  const workspaces = isObject(manifest) ? manifest.workspaces : undefined;
  return [workspaces, isObject(workspaces) ? workspaces.packages : [], isObject(pnpm) ? pnpm.packages : []]
    .filter((list) => Array.isArray(list))
    .flat()
    .filter((pattern) => typeof pattern === "string");
}

function parsed(parse: (text: string) => unknown, text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : parse(text);
  } catch {
    // It is somebody else's file: one that no package manager can read makes no workspace.
    return undefined;
  }
}

/** As package managers read them: the last pattern that matches decides, `!` takes back. */
function includes(patterns: readonly string[], path: string): boolean {
  const last = patterns.findLast((pattern) => new Glob(normalized(pattern)).match(path));
  return last !== undefined && !last.startsWith("!");
}

const normalized = (pattern: string): string =>
  pattern
    .replace(/^!/, "")
    .replace(/^(\.?\/)+/, "")
    .replace(/\/+$/, "");
