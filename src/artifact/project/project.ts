import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { AetherError, asDiskError, systemCode } from "../../lib/errors.ts";
import { isObject, parseJsonObject, readTextIfThere } from "./json-file.ts";
import { parseSettings, type Settings } from "./settings.ts";

/** The parts of package.json that matter here; anything of another shape there is treated as absent. */
export interface PackageJson {
  name?: string;
  version?: string;
  main?: string;
  type?: string;
  packageManager?: string;
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  engines: Record<string, string>;
  volta: Record<string, string>;
  /** The whole document. */
  raw: Record<string, unknown>;
}

/** A Node.js project as read from its folder. What follows from it is computed, not read again. */
export interface Project {
  /** Absolute. */
  folder: string;
  packageJson: PackageJson;
  settings: Settings;
  /** Names at the top of the folder. */
  entries: ReadonlySet<string>;
  /** Texts of small files beside package.json that detection reads, where they exist. */
  texts: Readonly<Partial<Record<TextFile, string>>>;
}

const textFiles = [
  "Procfile",
  ".nvmrc",
  ".node-version",
  "yarn.lock",
  "pnpm-lock.yaml",
  "pnpm-workspace.yaml",
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
] as const;
type TextFile = (typeof textFiles)[number];

/** Reads the project in `folder`; `not_a_project` where there is none, `config_invalid` for bad settings. */
export async function readProject(folder: string): Promise<Project> {
  const absolute = resolve(folder);
  const entries = await listFolder(absolute);
  const text = await readTextIfThere(join(absolute, "package.json"));
  if (text === undefined) throw await noPackageJson(absolute, entries);
  const raw = parseJsonObject(text, "package.json");
  return {
    folder: absolute,
    packageJson: toPackageJson(raw),
    settings: await readSettings(absolute, raw),
    entries,
    texts: await readTexts(absolute, entries),
  };
}

async function listFolder(folder: string): Promise<Set<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT")
      throw new AetherError("not_a_project", `There is no folder ${folder}.`, {
        hint: "Name the folder that holds package.json: aether deploy <folder>.",
      });
    if (code === "ENOTDIR") {
      throw new AetherError("not_a_project", `${folder} is a file, not a folder.`, {
        hint: `Name the folder that holds package.json: aether deploy ${dirname(folder)}.`,
      });
    }
    throw asDiskError(error, "read", folder);
  }
}

/** Looks one level up and down, where people usually are by mistake. */
async function noPackageJson(folder: string, entries: Set<string>): Promise<AetherError> {
  const candidates = [
    dirname(folder),
    ...[...entries]
      .filter((name) => !name.startsWith(".") && name !== "node_modules")
      .map((name) => join(folder, name)),
  ];
  const found: string[] = [];
  for (const candidate of candidates.slice(0, 100)) {
    if (
      await stat(join(candidate, "package.json")).then(
        (file) => file.isFile(),
        () => false,
      )
    )
      found.push(candidate);
  }
  const hint = found[0]
    ? `There is one in ${found[0] === dirname(folder) ? ".." : basename(found[0])}: aether deploy ${found[0]}.`
    : "Run the command in the folder of a Node.js project, or make one with: npm init -y.";
  return new AetherError("not_a_project", `There is no package.json in ${folder}.`, { hint });
}

async function readSettings(folder: string, raw: Record<string, unknown>): Promise<Settings> {
  const text = await readTextIfThere(join(folder, "aether.json"));
  if (text !== undefined && raw.aether !== undefined) {
    throw new AetherError("config_invalid", 'Both aether.json and "aether" in package.json hold settings.', {
      hint: "Keep one of the two, so that nobody has to guess which counts.",
    });
  }
  if (text !== undefined) return parseSettings(parseJsonObject(text, "aether.json"), "aether.json");
  return parseSettings(raw.aether ?? {}, '"aether" in package.json');
}

async function readTexts(folder: string, entries: Set<string>): Promise<Project["texts"]> {
  const found = textFiles.filter((name) => entries.has(name));
  const texts = await Promise.all(
    found.map(async (name) => [name, await readTextIfThere(join(folder, name))] as const),
  );
  return Object.fromEntries(texts.filter(([, text]) => text !== undefined));
}

function toPackageJson(raw: Record<string, unknown>): PackageJson {
  const text = (key: string) => (typeof raw[key] === "string" ? { [key]: raw[key] } : {});
  return {
    ...text("name"),
    ...text("version"),
    ...text("main"),
    ...text("type"),
    ...text("packageManager"),
    scripts: stringsOf(raw.scripts),
    dependencies: stringsOf(raw.dependencies),
    devDependencies: stringsOf(raw.devDependencies),
    optionalDependencies: stringsOf(raw.optionalDependencies),
    peerDependencies: stringsOf(raw.peerDependencies),
    engines: stringsOf(raw.engines),
    volta: stringsOf(raw.volta),
    raw,
  };
}

function stringsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
