import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { AetherError, asDiskError, systemCode } from "../../lib/errors.ts";
import { readTextIfThere } from "../project/json-file.ts";
import type { PackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";
import { hasWorkspaces } from "./install-command.ts";

/**
 * What an install reads, as paths inside the project (`/` between folders), package.json apart. An install never sees
 * the project itself: it runs on a copy of these, so the user's node_modules is neither read nor touched.
 *
 * - the lockfile and the settings of the package managers, patches, Yarn's releases and plugins (not its caches);
 * - local dependencies (`file:`), and every package.json of a workspace;
 * - where package.json has install scripts of its own, every file of the project: a script may read any of them. For
 *   the usual commands (`prisma generate`, `patch-package`, `husky`) it is known what they read, and only that counts.
 */
export async function installInputs(project: Project, manager: PackageManager): Promise<string[]> {
  const found = new Set<string>();
  const add = async (path: string) => {
    for (const file of await listFiles(project.folder, path)) found.add(file);
  };
  for (const path of [manager.lockfile ?? "", ...settingsFiles, ...patchFiles(project)])
    if (path !== "") await add(path);
  for (const path of await localDependencies(project)) await add(path);
  for (const path of scriptSources(project)) await add(path);
  if (hasWorkspaces(project)) {
    for (const file of await listFiles(project.folder, ".")) if (file.endsWith("/package.json")) found.add(file);
  }
  found.delete("package.json");
  return [...found].sort();
}

/** Copies the inputs of an install to `target`, package.json as the install shall see it. */
export async function copyInputs(project: Project, inputs: readonly string[], target: string): Promise<void> {
  try {
    for (const path of inputs) {
      const to = join(target, path);
      await mkdir(dirname(to), { recursive: true });
      await copyFile(join(project.folder, path), to);
    }
    await writeFile(join(target, "package.json"), `${JSON.stringify(stagedPackageJson(project), null, 2)}\n`);
  } catch (error) {
    throw asDiskError(error, "copy the project's settings to", target);
  }
}

/** One hash over all that decides what an install gives; `facts` are those outside the project. */
export async function installKey(
  project: Project,
  inputs: readonly string[],
  facts: readonly string[],
): Promise<string> {
  const hash = createHash("sha256");
  const add = (text: string | Uint8Array) => hash.update(`${text.length}:`).update(text);
  for (const fact of [...facts, JSON.stringify(relevantParts(project))]) add(fact);
  for (const path of inputs) {
    add(path);
    add(await readFile(join(project.folder, path)));
  }
  return hash.digest("hex").slice(0, 32);
}

const settingsFiles = [
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  ".yarn/releases",
  ".yarn/plugins",
  ".yarn/patches",
  ".pnpmfile.cjs",
  ".pnpmfile.mjs",
  "pnpm-workspace.yaml",
  "patches",
];

/** Patches that stand elsewhere than in `patches/`. */
function patchFiles({ packageJson }: Project): string[] {
  const text = JSON.stringify([packageJson.raw.pnpm, packageJson.raw.patchedDependencies, packageJson.raw.resolutions]);
  return [...text.matchAll(/[\w@./+-]+\.patch/g)].map(([path]) => inside(path)).filter((path) => path !== undefined);
}

/** Scripts of the project itself that an install runs. */
const installScripts = ["preinstall", "install", "postinstall"] as const;

/** `prepare` and its kin build for publishing or set up a developer's machine, with tools that are not installed here. */
const developersScripts = new Set(["prepare", "preprepare", "postprepare", "prepublish"]);

/** What commands that are common in install scripts read. */
const knownCommands: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(npx )?prisma generate$/, ["prisma", "prisma.config.ts", "prisma.config.js", "schema.prisma"]],
  [/^(npx )?patch-package$/, []],
  [/^(npx )?(husky|husky install|is-ci|true|echo .*|exit 0)$/, []],
];

function scriptSources(project: Project): readonly string[] {
  const scripts = installScripts.map((name) => project.packageJson.scripts[name]).filter((text) => text !== undefined);
  const commands = scripts.flatMap((text) => text.split(/&&|\|\||;/)).map((command) => command.trim());
  const known = commands.map((command) => knownCommands.find(([pattern]) => pattern.test(command))?.[1]);
  // npm runs `node-gyp rebuild` where there is a binding.gyp and no script says otherwise.
  if (project.entries.has("binding.gyp") || known.includes(undefined)) return ["."];
  return known.flatMap((paths) => paths ?? []);
}

const runsScripts = (project: Project): boolean =>
  installScripts.some((name) => project.packageJson.scripts[name] !== undefined);

/** Keys of package.json that no install reads; without them a new version or another start script is a cache hit. */
const irrelevantKeys = new Set([
  "version",
  "description",
  "keywords",
  "author",
  "contributors",
  "license",
  "homepage",
  "bugs",
  "repository",
  "main",
  "module",
  "types",
  "files",
  "private",
  "aether",
]);

function relevantParts(project: Project): unknown {
  const parts = Object.entries(project.packageJson.raw).filter(
    ([key]) => !irrelevantKeys.has(key) && (key !== "scripts" || runsScripts(project)),
  );
  return Object.fromEntries(parts);
}

function stagedPackageJson({ packageJson }: Project): unknown {
  const scripts = Object.entries(packageJson.scripts).filter(([name]) => !developersScripts.has(name));
  return { ...packageJson.raw, scripts: Object.fromEntries(scripts) };
}

/** Folders and archives inside the project that it depends on, and those that they depend on. */
async function localDependencies(project: Project): Promise<string[]> {
  const found = new Set<string>();
  const visit = async (base: string, dependencies: Record<string, string>) => {
    for (const [name, spec] of Object.entries(dependencies)) {
      const path = localPath(spec);
      if (path === undefined) continue;
      const place = inside(join(base, path));
      if (place === undefined) throw outside(name, spec);
      if (found.has(place)) continue;
      found.add(place);
      const text = await readTextIfThere(join(project.folder, place, "package.json"));
      if (text !== undefined) await visit(place, dependenciesIn(text));
    }
  };
  const { dependencies, optionalDependencies } = project.packageJson;
  await visit(".", { ...dependencies, ...optionalDependencies });
  return [...found];
}

const localPath = (spec: string): string | undefined =>
  /^(?:file|link|portal):(.*)$/.exec(spec)?.[1] ?? (/^\.{1,2}\//.test(spec) ? spec : undefined);

function dependenciesIn(text: string): Record<string, string> {
  try {
    const { dependencies } = JSON.parse(text);
    return typeof dependencies === "object" && dependencies !== null ? dependencies : {};
  } catch {
    // The package manager reports a broken file better, with the name of the package.
    return {};
  }
}

/** A path relative to the project, or undefined when it leads out of it. */
function inside(path: string): string | undefined {
  const place = normalize(path).replace(/\/$/, "");
  return place.startsWith("/") || place === ".." || place.startsWith("../") ? undefined : place;
}

const outside = (name: string, spec: string): AetherError =>
  new AetherError("preflight_failed", `The dependency ${name} ("${spec}") lies outside the project's folder.`, {
    hint: "Move it inside, publish it, or deploy the folder that holds both.",
  });

/** Never read by an install script that anyone should write: other installs, history, build caches, secrets. */
const skipped = /^(node_modules|\.git|\.hg|\.svn|\.next|\.turbo|\.cache|coverage|\.pnp\..*|\.env.*)$/;

/** The regular files at and below `path`, none when there is nothing; without node_modules, history and caches. */
export async function listFiles(folder: string, path: string): Promise<string[]> {
  const kind = await stat(join(folder, path)).catch((error) => {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw asDiskError(error, "read", join(folder, path));
  });
  if (kind?.isFile()) return [normalize(path)];
  if (!kind?.isDirectory()) return [];
  const entries = await readdir(join(folder, path), { withFileTypes: true });
  const below = entries
    .filter((entry) => !skipped.test(entry.name))
    .map(async (entry) => {
      const child = normalize(join(path, entry.name));
      if (child === ".yarn/cache" || child === ".yarn/unplugged") return [];
      if (entry.isDirectory()) return listFiles(folder, child);
      return entry.isFile() ? [child] : [];
    });
  return (await Promise.all(below)).flat();
}
