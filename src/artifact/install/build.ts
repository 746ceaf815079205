import { join } from "node:path";
import { AetherError } from "../../lib/errors.ts";
import { detectPackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";
import { runTool, type ToolCommand } from "./run-tool.ts";

export interface BuildOptions {
  env: Record<string, string | undefined>;
  say: (message: string) => void;
  onOutput?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Runs the project's build, `build` in aether.json or else `scripts.build`, in the user's own folder: a build needs the
 * development dependencies, and its result belongs where the next local build expects it. Only ever when asked for.
 */
export async function runBuild(project: Project, { env, say, onOutput, signal }: BuildOptions): Promise<void> {
  const command = buildCommand(project, env);
  const shown = project.settings.build ?? command.argv.join(" ");
  say(`Building: ${shown}`);
  const { exitCode, lines } = await runTool(command, { signal, onLine: onOutput });
  if (exitCode === 0) return;
  const last = lines.filter((line) => line.trim() !== "").slice(-20);
  const installs = project.entries.has("node_modules")
    ? undefined
    : "Install the development dependencies first: npm install.";
  throw new AetherError("build_failed", [`The build "${shown}" failed (exit code ${exitCode}):`, ...last].join("\n"), {
    hint: installs ?? "Mend what it reports and run the command again.",
    details: { command: shown, log: last },
  });
}

/** What a build runs, as data. */
export function buildCommand(project: Project, env: BuildOptions["env"]): ToolCommand {
  const path = `${join(project.folder, "node_modules", ".bin")}:${env.PATH ?? ""}`;
  const place = { cwd: project.folder, env: { ...env, PATH: path } };
  if (project.settings.build !== undefined) return { argv: ["sh", "-c", project.settings.build], ...place };
  if (project.packageJson.scripts.build === undefined) {
    throw new AetherError("preflight_failed", "There is nothing to build: package.json has no build script.", {
      hint: 'Add "build" to the scripts of package.json or to aether.json, or leave --build out.',
    });
  }
  return { argv: [runnerOf(project, env.PATH), "run", "build"], ...place };
}

/** The project's own package manager where the machine has it: Yarn's Plug'n'Play needs it. npm runs the rest as well. */
function runnerOf(project: Project, path: string | undefined): string {
  const name = detectPackageManager(project).name;
  const program = name === "npm" || name === "pnpm" ? name : "yarn";
  return Bun.which(program, { PATH: path ?? "" }) === null ? "npm" : program;
}
