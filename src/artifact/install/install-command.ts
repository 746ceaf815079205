import type { PackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";

/** How a package manager is started: its own program, one that the project brings, or one fetched from the registry. */
export type ToolLaunch = readonly string[];

/** The arguments that install production dependencies as the lockfile says, or, without one, as they resolve today. */
export function installArguments(manager: PackageManager, project: Project): string[] {
  const locked = manager.lockfile !== undefined;
  if (manager.name === "npm") return [locked ? "ci" : "install", "--omit=dev", "--no-audit", "--no-fund"];
  if (manager.name === "yarn-classic") {
    return ["install", "--production", ...(locked ? ["--frozen-lockfile"] : []), "--non-interactive", "--no-progress"];
  }
  // Berry has no `install --production`; focus does not check the lockfile, which is why it is checked before.
  if (manager.name === "yarn-berry")
    return ["workspaces", "focus", ...(hasWorkspaces(project) ? ["--all"] : []), "--production"];
  return [
    "install",
    "--prod",
    ...(locked ? ["--frozen-lockfile"] : ["--no-frozen-lockfile"]),
    // Otherwise a workspace file in a folder above the cache would count.
    ...(project.entries.has("pnpm-workspace.yaml") ? [] : ["--ignore-workspace"]),
    // Its shims would carry the absolute path of the staging folder into the artifact.
    "--config.extend-node-path=false",
  ];
}

/** Variables for the child beside those of the caller: no prompts, no telemetry, a node_modules folder. */
export function installEnvironment(manager: PackageManager): Record<string, string> {
  const common = {
    CI: "true",
    NO_COLOR: "1",
    COREPACK_ENABLE_DOWNLOAD_PROMPT: "0",
    npm_config_update_notifier: "false",
  };
  if (manager.name !== "yarn-berry") return common;
  return {
    ...common,
    YARN_NODE_LINKER: "node-modules",
    // A cache inside the project would be filled anew for each install.
    YARN_ENABLE_GLOBAL_CACHE: "true",
    YARN_ENABLE_TELEMETRY: "0",
    YARN_ENABLE_PROGRESS_BARS: "0",
    YARN_ENABLE_COLORS: "0",
  };
}

/** The command that brings a lockfile back in step, for people. */
export function lockfileRemedy(manager: PackageManager): string {
  return { npm: "npm install", "yarn-classic": "yarn install", "yarn-berry": "yarn install", pnpm: "pnpm install" }[
    manager.name
  ];
}

/** The program's name on PATH, and its package on the registry. */
export const programs: Record<PackageManager["name"], { program: string; package: string }> = {
  npm: { program: "npm", package: "npm" },
  "yarn-classic": { program: "yarn", package: "yarn" },
  "yarn-berry": { program: "yarn", package: "@yarnpkg/cli-dist" },
  pnpm: { program: "pnpm", package: "pnpm" },
};

/** Fetched by npm, which every machine with Node has; Corepack downloads from hosts that npm's settings do not reach. */
export const fetchedTool = (manager: PackageManager): ToolLaunch => {
  const tool = programs[manager.name];
  return ["npm", "exec", "--yes", `--package=${tool.package}@${manager.fetches}`, "--", tool.program];
};

/** Whether the project is the root of a workspace. */
export const hasWorkspaces = (project: Project): boolean =>
  project.packageJson.raw.workspaces !== undefined || /^packages:/m.test(project.texts["pnpm-workspace.yaml"] ?? "");
