import { readdir, rm } from "node:fs/promises";
import { arch, platform } from "node:os";
import { join, relative } from "node:path";
import { AetherError, asDiskError } from "../../lib/errors.ts";
import { inRange } from "../../lib/node-version.ts";
import { detectPackageManager, type PackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";
import { createInstallCache } from "./install-cache.ts";
import { fetchedTool, installArguments, installEnvironment, programs, type ToolLaunch } from "./install-command.ts";
import { copyInputs, installInputs, installKey } from "./install-inputs.ts";
import { checkLockfile, lockfileOutOfStep, reportsDrift } from "./lockfile.ts";
import { runTool, type ToolCommand } from "./run-tool.ts";
import { createRedactor } from "./tool-secrets.ts";
import { refuseWorkspaceMember } from "./workspace-member.ts";

export interface InstallOptions {
  project: Project;
  /** Absolute; holds installed trees between deploys. */
  cacheFolder: string;
  noCache?: boolean;
  /** The environment of the package manager. */
  env: Record<string, string | undefined>;
  /** Told what a person should know. */
  say: (message: string) => void;
  /** Told each line that the package manager writes. */
  onOutput?: (line: string) => void;
  signal?: AbortSignal;
  now?: () => Date;
}

export interface Installed {
  /** Holds `node_modules`; undefined when the project has no dependencies. Read-only for the caller. */
  folder: string | undefined;
  /** Every node_modules folder in it, relative: workspaces and local dependencies may have their own. */
  nodeModules: string[];
  cached: boolean;
  ms: number;
}

/** Installs production dependencies into the cache, or takes them from there; the project's folder is only read. */
export async function installDependencies(options: InstallOptions): Promise<Installed> {
  const { project, cacheFolder, noCache = false, say, now = () => new Date() } = options;
  const startedAt = performance.now();
  const finish = async (folder: string | undefined, cached: boolean): Promise<Installed> => ({
    folder,
    nodeModules: folder === undefined ? [] : await findNodeModules(folder),
    cached,
    ms: Math.round(performance.now() - startedAt),
  });
  if (!hasDependencies(project)) return finish(undefined, false);
  const manager = detectPackageManager(project);
  await refuseWorkspaceMember(project, manager);
  if (manager.note !== undefined) say(manager.note);
  checkLockfile(project, manager);
  const inputs = await installInputs(project, manager);
  const key = await installKey(project, inputs, await machineFacts(manager, options));
  const cache = createInstallCache(cacheFolder, now);
  const found = noCache ? undefined : await cache.find(key);
  if (found !== undefined) return finish(found, true);
  const staged = await cache.stage(key);
  try {
    await copyInputs(project, inputs, staged);
    await runInstall(manager, staged, options);
    await keepOnlyModules(staged);
    const folder = await cache.commit(key, staged, { fresh: noCache });
    await cache.evict();
    return await finish(folder, false);
  } finally {
    // A child that has not ended yet may still write there: what stays is a leftover that a later eviction takes.
    await rm(staged, { recursive: true, force: true }).catch(() => {});
  }
}

/** Peers count: npm and pnpm install those of the project itself. */
const hasDependencies = ({ packageJson }: Project): boolean =>
  [packageJson.dependencies, packageJson.optionalDependencies, packageJson.peerDependencies].some(
    (group) => Object.keys(group).length > 0,
  ) || packageJson.raw.workspaces !== undefined;

/** What decides beside the project which files an install gives. */
async function machineFacts(manager: PackageManager, { project, env }: InstallOptions): Promise<string[]> {
  const node = await versionOf(["node"], project.folder, env);
  if (node === undefined) {
    throw new AetherError("install_failed", "Node.js was not found on PATH, and installing dependencies needs it.", {
      hint: "Install Node.js (it brings npm) and run the command again.",
    });
  }
  return ["1", manager.name, manager.accepts, node, platform(), arch(), await libc()];
}

async function libc(): Promise<string> {
  if (platform() !== "linux") return "none";
  const names = await readdir("/lib").catch(() => []);
  return names.some((name) => name.startsWith("ld-musl-")) ? "musl" : "glibc";
}

async function versionOf(launch: ToolLaunch, cwd: string, env: InstallOptions["env"]): Promise<string | undefined> {
  const { exitCode, lines } = await runTool({ argv: [...launch, "--version"], cwd, env }, { timeoutMs: 20_000 });
  return exitCode === 0 ? /^v?(\d+\.\d+\.\d+\S*)$/.exec(lines.at(-1)?.trim() ?? "")?.[1] : undefined;
}

async function runInstall(manager: PackageManager, staged: string, options: InstallOptions): Promise<void> {
  const { project, say, onOutput, signal } = options;
  const env = { ...options.env, ...installEnvironment(manager) };
  const argv = [...(await launchOf(manager, { project, staged, env })), ...installArguments(manager, project)];
  const redact = createRedactor(project, env);
  const command: ToolCommand = { argv, cwd: staged, env };
  say(`Installing production dependencies: ${argv.join(" ")}`);
  let incomplete = false;
  let drifted = false;
  const onLine = (line: string) => {
    incomplete ||= line.includes("TAR_ENTRY_ERROR");
    drifted ||= reportsDrift([line]);
    // What follows is pages of every difference and of npm's usage; the refusal says it in a few lines.
    if (!drifted) onOutput?.(redact(line));
  };
  const { exitCode, lines } = await runTool(command, { signal, onLine });
  const output = lines.map(redact);
  // npm only warns when it cannot write a file of a package, and ends with 0 over a tree with holes in it.
  if (exitCode === 0 && !incomplete) return sayIgnoredScripts(output, say);
  if (output.some((line) => /\bENOSPC: no space|no space left on device/i.test(line))) throw diskFull(staged);
  if (reportsDrift(output)) throw lockfileOutOfStep(manager, output);
  throw installFailed(argv, exitCode, output);
}

/** The project's own Yarn, else the machine's tool in a version that fits, else that version through npm. */
async function launchOf(
  manager: PackageManager,
  { project, staged, env }: { project: Project; staged: string; env: InstallOptions["env"] },
): Promise<ToolLaunch> {
  const own = ownYarn(manager, project);
  if (own !== undefined) return ["node", own];
  const { program } = programs[manager.name];
  const version = await versionOf([program], staged, env);
  if (version !== undefined && inRange(version, manager.accepts)) return [program];
  if (manager.name !== "npm" && (await versionOf(["npm"], staged, env)) !== undefined) return fetchedTool(manager);
  throw new AetherError(
    "install_failed",
    `${program} was not found on PATH${manager.name === "npm" ? "" : ", and neither was npm to fetch it"}.`,
    {
      hint:
        manager.name === "npm"
          ? "Install Node.js with npm and run the command again."
          : `Install it with: npm install -g ${programs[manager.name].package}@${manager.fetches}`,
    },
  );
}

/** `yarnPath` of .yarnrc.yml, or `yarn-path` of .yarnrc: a release committed with the project. */
function ownYarn(manager: PackageManager, { texts }: Project): string | undefined {
  if (!manager.name.startsWith("yarn")) return undefined;
  const path =
    /^yarnPath:\s*["']?([^"'\n]+)/m.exec(texts[".yarnrc.yml"] ?? "")?.[1] ??
    /^yarn-path\s+"?([^"\n]+)/m.exec(texts[".yarnrc"] ?? "")?.[1];
  return path?.trim().replace(/^\.\//, "").startsWith(".yarn/releases/") ? path.trim() : undefined;
}

/** npm and pnpm skip install scripts that nobody has allowed; a package that needs one breaks only when it runs. */
function sayIgnoredScripts(output: readonly string[], say: (message: string) => void): void {
  const npm = output.map((line) => /^npm warn install-scripts\s+(\S+@\S+) \(/.exec(line)?.[1]);
  const pnpm = output.flatMap(
    (line) =>
      /Ignored build scripts: ([^│]*)/
        .exec(line)?.[1]
        ?.replace(/\.\s*(Run.*)?$/, "")
        .split(", ") ?? [],
  );
  const names = [...npm, ...pnpm].filter((name) => name !== undefined).map((name) => name.trim());
  if (names.length === 0) return;
  say(
    `Install scripts that the project does not allow did not run: ${names.join(", ")}. Packages that bring their binaries work without.`,
  );
}

const diskFull = (path: string): AetherError =>
  new AetherError("disk_failed", `Cannot install dependencies in ${path}: no space is left on the device (ENOSPC).`, {
    hint: "Free some space there and run the command again.",
  });

function installFailed(argv: readonly string[], exitCode: number, output: readonly string[]): AetherError {
  const last = output.filter((line) => line.trim() !== "").slice(-20);
  return new AetherError("install_failed", [`${argv.join(" ")} failed (exit code ${exitCode}):`, ...last].join("\n"), {
    hint: "Mend what it reports; the same command in a copy of the project shows it too.",
    details: { command: argv.join(" "), log: last },
  });
}

/** Notes of the package managers with times and absolute paths, at the top of a node_modules folder. */
const droppings =
  /^(\.modules\.yaml|\.package-lock\.json|\.yarn-integrity|\.yarn-state\.yml|\.pnpm-workspace-state.*|\.cache)$/;

/** What is left of a staged install is node_modules alone: no copies of settings, which may hold tokens. */
async function keepOnlyModules(staged: string): Promise<void> {
  const visit = async (folder: string): Promise<boolean> => {
    let kept = false;
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && entry.name === "node_modules") {
        for (const name of await readdir(path))
          if (droppings.test(name)) await rm(join(path, name), { recursive: true });
        kept = true;
      } else if (entry.isDirectory() && (await visit(path))) kept = true;
      else await rm(path, { recursive: true, force: true });
    }
    return kept;
  };
  try {
    await visit(staged);
  } catch (error) {
    throw asDiskError(error, "write", staged);
  }
}

async function findNodeModules(folder: string): Promise<string[]> {
  const visit = async (path: string): Promise<string[]> => {
    const entries = await readdir(path, { withFileTypes: true });
    const below = entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) =>
        name === "node_modules" ? [relative(folder, join(path, name))] : visit(join(path, name)),
      );
    return (await Promise.all(below)).flat();
  };
  return (await visit(folder)).sort();
}
