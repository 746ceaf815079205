import { stat } from "node:fs/promises";
import { join } from "node:path";
import { AetherError } from "../../lib/errors.ts";
import type { Project } from "./project.ts";
import { expandScripts } from "./scripts.ts";
import { programIndex, splitCommand, unquote } from "./shell-command.ts";

export interface StartCommand {
  /** Run by `sh -c` with node_modules/.bin on PATH. */
  command: string;
  /** Where it was found, for people: `scripts.start`, `Procfile`, … */
  source: string;
  /** Something to say aloud. */
  note?: string;
}

/** The start command: aether.json, Procfile `web:`, scripts.start, main, server.js, index.js; its file must be there. */
export async function detectStart(project: Project): Promise<StartCommand> {
  const start = writtenStart(project) ?? (await startByFile(project));
  const missing = await missingStartFile(project, start.command);
  if (missing !== undefined) throw startFileMissing(project, missing, start.source);
  return start;
}

function writtenStart(project: Project): StartCommand | undefined {
  const { settings, packageJson, texts } = project;
  const { scripts } = packageJson;
  if (settings.start !== undefined)
    return { command: expandScripts(settings.start, scripts), source: "start in aether.json" };
  const web = /^web:\s*(.+)$/m.exec(texts.Procfile ?? "")?.[1];
  if (web !== undefined) return { command: expandScripts(web, withoutBuild(scripts)), source: "Procfile" };
  if (scripts.start === undefined) return undefined;
  return startScript(project);
}

/**
 * `npm start` as npm would run it. Where it needs a tool that only developers have (`nest start`, `nodemon`) and the
 * project has the usual script for production beside it, that one is meant.
 */
function startScript({ packageJson }: Project): StartCommand {
  const { scripts } = packageJson;
  const command = expandScripts("npm start", withoutBuild(scripts));
  const tool = developersTool(command, packageJson);
  const production = ["start:prod", "start:production"].find((name) => scripts[name] !== undefined);
  if (tool !== undefined && production !== undefined) {
    const note = `scripts.start needs ${tool}, a development dependency, so ${production} is used.`;
    return {
      command: expandScripts(`npm run ${production}`, withoutBuild(scripts)),
      source: `scripts.${production}`,
      note,
    };
  }
  const note =
    scripts.prestart !== undefined && isBuild(scripts.prestart)
      ? "scripts.prestart builds, so it is left out: use --build."
      : undefined;
  return { command, source: "scripts.start", ...(note === undefined ? {} : { note }) };
}

/** Building belongs before a deploy: where the application runs there are no development dependencies. */
function withoutBuild(scripts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(scripts).filter(([name, text]) => name !== "prestart" || !isBuild(text)));
}

const isBuild = (script: string): boolean => /^\s*(npm|yarn|pnpm|bun)\s+(run\s+)?build(:[\w-]+)?\s*$/.test(script);

/** Programs whose package has another name. */
const packageOfProgram: Record<string, string> = {
  tsc: "typescript",
  nest: "@nestjs/cli",
  ng: "@angular/cli",
  vite: "vite",
};

/** The program in a start command that comes from a development dependency only, and so is not installed. */
export function developersTool(
  command: string,
  { dependencies, optionalDependencies, devDependencies }: Project["packageJson"],
): string | undefined {
  const production = { ...optionalDependencies, ...dependencies };
  const programs = splitCommand(command).flatMap(({ words }) => words.slice(0, programIndex(words) + 1).map(unquote));
  return programs.find((program) => {
    const name = packageOfProgram[program] ?? program;
    return devDependencies[name] !== undefined && production[name] === undefined;
  });
}

async function startByFile(project: Project): Promise<StartCommand> {
  const { main } = project.packageJson;
  if (main !== undefined && (await resolves(project.folder, main)))
    return { command: `node ${quoteIfNeeded(main)}`, source: "main" };
  // `npm init` writes "main": "index.js" whether there is one or not: a build's result must not be passed over for it.
  const built = main?.includes("/") && project.packageJson.scripts.build !== undefined;
  const found = built
    ? undefined
    : await firstThere(project.folder, ["server.js", "server.mjs", "index.js", "index.mjs"]);
  if (found !== undefined) return { command: `node ${found}`, source: found };
  if (main !== undefined) throw startFileMissing(project, main, "main");
  throw new AetherError(
    "preflight_failed",
    "Nothing says how this project starts: there is no start script, no main, no server.js and no index.js.",
    {
      hint: 'Add "scripts": {"start": "node server.js"} to package.json, or "start" to aether.json.',
    },
  );
}

async function firstThere(folder: string, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if (await isFile(join(folder, file))) return file;
  return undefined;
}

const quoteIfNeeded = (file: string): string =>
  /^[\w./@-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;

/** Flags of node that take the next word as their value. */
const valueFlags = new Set([
  "-r",
  "--require",
  "--import",
  "--loader",
  "--experimental-loader",
  "-C",
  "--conditions",
  "--env-file",
  "--env-file-if-exists",
  "--title",
  "--inspect-port",
  "--max-http-header-size",
]);
const codeFlags = new Set([
  "-e",
  "--eval",
  "-p",
  "--print",
  "-pe",
  "-c",
  "--check",
  "-i",
  "-v",
  "--version",
  "--run",
  "--test",
]);

/** The file that `node …` in a clause runs, when that is plain to see. */
function nodeFile(words: readonly string[]): string | undefined {
  const [program, ...args] = words.slice(programIndex(words)).map(unquote);
  if (program !== "node") return undefined;
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index] ?? "";
    if (codeFlags.has(word)) return undefined;
    if (valueFlags.has(word)) index += 1;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}

async function missingStartFile(project: Project, command: string): Promise<string | undefined> {
  for (const { words } of splitCommand(command)) {
    // A changed folder makes every later path another one.
    if (words[0] === "cd") return undefined;
    const file = nodeFile(words);
    if (file === undefined || /[$*`]/.test(file) || /(^|\/)node_modules\//.test(file)) continue;
    if (!(await resolves(project.folder, file))) return file;
  }
  return undefined;
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );

/** Whether Node finds `file` as a main module: the file, with an extension, or a folder's index. */
async function resolves(folder: string, file: string): Promise<boolean> {
  const path = join(folder, file);
  for (const candidate of [
    path,
    `${path}.js`,
    `${path}.json`,
    `${path}.node`,
    join(path, "package.json"),
    join(path, "index.js"),
  ]) {
    if (await isFile(candidate)) return true;
  }
  return false;
}

function startFileMissing({ packageJson, settings }: Project, file: string, source: string): AetherError {
  const builds = packageJson.scripts.build !== undefined || settings.build !== undefined;
  return new AetherError("preflight_failed", `The start file ${file} (from ${source}) does not exist.`, {
    hint: builds
      ? 'It looks like the result of a build: run aether deploy --build, or set "build" in aether.json.'
      : `Create ${file}, or name the right file with "start" in aether.json.`,
    details: { file },
  });
}
