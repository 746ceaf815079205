import type { AppConfig } from "../../core/app-config.ts";
import { inRange } from "../../lib/node-version.ts";
import { walkTree } from "../pack/walk.ts";
import type { Project } from "../project/project.ts";
import { developersTool } from "../project/start-command.ts";
import { describePlatform, findMisfits, type Platform } from "./native-modules.ts";
import { findSecrets } from "./secrets-scan.ts";

/** Something that would go wrong, or might, with the fix. */
export interface Finding {
  /** An error ends the deploy before a byte moves. */
  level: "error" | "warning";
  message: string;
  hint?: string;
}

export interface PreflightOptions {
  project: Project;
  /** Holds `node_modules`; undefined when the project has no dependencies. */
  dependenciesFolder: string | undefined;
  appConfig: AppConfig;
  /** Where the application will run; without it, what depends on the machine is not checked. */
  platform?: (Platform & { node?: string }) | undefined;
}

/** What can be known to fail before anything is uploaded. (A missing start file is found by `detectApp` already.) */
export async function preflight({
  project,
  dependenciesFolder,
  appConfig,
  platform,
}: PreflightOptions): Promise<Finding[]> {
  return [
    ...startTool(project, appConfig),
    ...nodeVersion(appConfig, platform?.node),
    ...(platform && dependenciesFolder ? await nativeModules(dependenciesFolder, platform) : []),
    ...(await secrets(project)),
  ];
}

function startTool({ packageJson }: Project, { start }: AppConfig): Finding[] {
  const tool = developersTool(start, packageJson);
  if (tool === undefined) return [];
  return [
    {
      level: "error",
      message: `The start command "${start}" needs ${tool}, which is a development dependency and is not installed.`,
      hint: `Move it to "dependencies", or start what it builds: "start": "node dist/server.js" in aether.json.`,
    },
  ];
}

function nodeVersion({ node: wanted }: AppConfig, version: string | undefined): Finding[] {
  if (wanted === undefined || version === undefined || inRange(version, wanted)) return [];
  return [
    {
      level: "error",
      message: `The application asks for Node ${wanted}, but applications run on Node ${version} there.`,
      hint: `Widen "node" in aether.json (or engines.node) if it works with ${version}, or have the server run another Node.`,
    },
  ];
}

async function nativeModules(folder: string, platform: Platform): Promise<Finding[]> {
  const misfits = await findMisfits(folder, platform);
  return misfits.map(({ package: name, has }) => ({
    level: "error",
    message: `The native module ${name} is for ${has.join(", ")}, but applications run on ${describePlatform(platform)}.`,
    hint: `Deploy from a ${describePlatform(platform)} machine (CI, a container), where the right binary is installed.`,
  }));
}

async function secrets({ folder }: Project): Promise<Finding[]> {
  const found = await findSecrets(folder, ownFiles(folder));
  return found.map(({ path, kind }) => ({
    level: "warning",
    message: `${path} seems to hold ${kind}.`,
    hint: "Keep secrets in the app's variables, and leave the file out with .aetherignore.",
  }));
}

/** What will be packed of the application itself; what packages publish is no secret. */
function ownFiles(folder: string): string[] {
  const files = [...walkTree({ appFolder: folder })].flatMap(({ entries }) => entries);
  return files
    .filter(({ kind, path }) => kind === "file" && !/(^|\/)node_modules\//.test(path))
    .map(({ path }) => path);
}
