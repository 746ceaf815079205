import type { AppConfig } from "../../core/app-config.ts";
import { appNameProblem, toAppName } from "../../core/app-name.ts";
import { AetherError } from "../../lib/errors.ts";
import { rangeOfPin } from "./node-range.ts";
import type { Project } from "./project.ts";
import { assignmentsOf, programIndex, splitCommand, unquote } from "./shell-command.ts";
import { detectStart, type StartCommand } from "./start-command.ts";

/** How an application starts, and where each answer was found, for people. */
export interface Detected {
  config: AppConfig;
  start: StartCommand;
  /** Such as `engines.node`; absent when the project asks for no version. */
  nodeSource?: string;
}

/** Start command, port and Node versions of a project. Run the build first: a start file may be its result. */
export async function detectApp(project: Project): Promise<Detected> {
  const start = await detectStart(project);
  const port = project.settings.port ?? fixedPort(start.command);
  const node = detectNode(project);
  const { health, resources } = project.settings;
  return {
    config: {
      start: start.command,
      ...(port === undefined ? {} : { port }),
      ...(node === undefined ? {} : { node: node.range }),
      ...(health === undefined ? {} : { health }),
      ...(resources === undefined ? {} : { resources: amounts(resources) }),
    },
    start,
    ...(node === undefined ? {} : { nodeSource: node.source }),
  };
}

const amounts = ({ cpu, memory }: NonNullable<Project["settings"]["resources"]>): AppConfig["resources"] => ({
  ...(cpu === undefined ? {} : { cpu: String(cpu) }),
  ...(memory === undefined ? {} : { memory: String(memory) }),
});

/** The application's name from aether.json, else from package.json made valid; `--app` comes before both. */
export function detectName(project: Project): string {
  const wanted = project.settings.name ?? project.packageJson.name;
  if (wanted === undefined) throw noName("package.json has no name");
  const name = project.settings.name ?? toAppName(wanted);
  const problem = appNameProblem(name);
  if (problem === undefined) return name;
  throw noName(`"${wanted}" cannot name an application (${problem})`);
}

const noName = (why: string): AetherError =>
  new AetherError("usage", `The application needs a name: ${why}.`, {
    hint: 'Name it with --app, or "name" in aether.json: a-z, 0-9 and dashes, starting with a letter.',
  });

/**
 * The port that a start command fixes, only where it is certain: `PORT=3000 node x`, `--port 3000`, `-p 3000`.
 * Otherwise the application is expected to follow `PORT`.
 */
export function fixedPort(command: string): number | undefined {
  const found = splitCommand(command).flatMap(({ words }) => [
    ...[assignmentsOf(words).get("PORT")].filter((value) => value !== undefined),
    ...portFlags(words.slice(programIndex(words)).map(unquote)),
  ]);
  const ports = new Set(found.filter((value) => /^\d{1,5}$/.test(value)).map(Number));
  const [port] = ports;
  // A variable beside a number, or two numbers: not certain.
  return ports.size === 1 && found.every((value) => Number(value) === port) && port && port < 65536 ? port : undefined;
}

function portFlags([program, ...args]: readonly string[]): string[] {
  // `node -p` prints: flags of node itself end where its script begins.
  const own = program === "node" ? args.findIndex((word) => !word.startsWith("-")) : 0;
  return args.slice(Math.max(own, 0)).flatMap((word, index, rest) => {
    const inline = /^(?:--port|-p)=(.+)$/.exec(word)?.[1];
    if (inline !== undefined) return [inline];
    return word === "--port" || (word === "-p" && own >= 0) ? [rest[index + 1] ?? ""] : [];
  });
}

/** The Node versions that a project accepts, and who says so. */
export function detectNode({ settings, packageJson, texts }: Project): { range: string; source: string } | undefined {
  const candidates: [string | undefined, string][] = [
    [settings.node, "node in aether.json"],
    [packageJson.engines.node?.trim() || undefined, "engines.node"],
    [rangeOfPin(texts[".nvmrc"] ?? ""), ".nvmrc"],
    [rangeOfPin(texts[".node-version"] ?? ""), ".node-version"],
    [rangeOfPin(packageJson.volta.node ?? ""), "volta.node"],
  ];
  const [range, source] = candidates.find(([found]) => found !== undefined) ?? [];
  return range === undefined || source === undefined || range === "*" ? undefined : { range, source };
}
