import { AetherError } from "../../lib/errors.ts";
import { isObject } from "./json-file.ts";
import type { Project } from "./project.ts";

/** Which tool installs, and from which lockfile. */
export interface PackageManager {
  name: "npm" | "yarn-classic" | "yarn-berry" | "pnpm";
  /** The versions of an installed tool that may do it: exact when `packageManager` says so, else what reads the lockfile. */
  accepts: string;
  /** The version that is fetched from the registry when the machine has none of these. */
  fetches: string;
  /** Absent: there is none, and what is installed is not reproducible. */
  lockfile?: string;
  /** Something to say aloud. */
  note?: string;
}

type Family = "npm" | "yarn" | "pnpm";

const lockfiles: readonly (readonly [string, Family])[] = [
  ["package-lock.json", "npm"],
  ["npm-shrinkwrap.json", "npm"],
  ["yarn.lock", "yarn"],
  ["pnpm-lock.yaml", "pnpm"],
];
const bunLockfiles = ["bun.lock", "bun.lockb"];

/** The package manager by `packageManager`, else by lockfile, else npm. */
export function detectPackageManager(project: Project): PackageManager {
  const declared = declaredPackageManager(project);
  const present = lockfiles.filter(([file]) => project.entries.has(file));
  const families = [...new Set(present.map(([, family]) => family))];
  if (declared === undefined && families.length > 1) throw severalLockfiles(present.map(([file]) => file));
  const family = declared?.family ?? families[0] ?? "npm";
  // npm itself prefers npm-shrinkwrap.json where both exist.
  const lockfile = present.filter(([, owner]) => owner === family).at(family === "npm" ? -1 : 0)?.[0];
  const name = family === "yarn" ? yarnFlavour(project, declared?.version) : family;
  const versions = declared?.version && name !== "npm" ? exactly(declared.version) : versionsByLockfile(name, project);
  const note =
    lockfile === undefined
      ? withoutLockfile(
          project,
          family,
          present.map(([file]) => file),
        )
      : undefined;
  return {
    name,
    ...versions,
    ...(lockfile === undefined ? {} : { lockfile }),
    ...(note === undefined ? {} : { note }),
  };
}

function declaredPackageManager(project: Project): { family: Family; version?: string } | undefined {
  const text = project.packageJson.packageManager;
  if (text === undefined) return declaredInDevEngines(project.packageJson.raw.devEngines);
  // Corepack's form: name, version, and an optional hash.
  const match = /^(npm|yarn|pnpm|bun)@(\d+\.\d+\.\d+[-\w.]*)(\+[\w.]+)?$/.exec(text);
  const [, name, version = ""] = match ?? [];
  if (name === "bun") return undefined;
  if (name === "npm" || name === "yarn" || name === "pnpm") return { family: name, version };
  throw new AetherError(
    "config_invalid",
    `"packageManager": ${JSON.stringify(text)} in package.json is not understood.`,
    {
      hint: 'Write it as name@version, such as "pnpm@10.34.5".',
    },
  );
}

/** `devEngines.packageManager` names a range at most, so only the name counts. */
function declaredInDevEngines(devEngines: unknown): { family: Family } | undefined {
  const manager = isObject(devEngines) ? devEngines.packageManager : undefined;
  const name = isObject(manager) ? manager.name : undefined;
  return name === "npm" || name === "yarn" || name === "pnpm" ? { family: name } : undefined;
}

function severalLockfiles(files: string[]): AetherError {
  return new AetherError("preflight_failed", `There are lockfiles of several package managers: ${files.join(", ")}.`, {
    hint: 'Delete those you do not use, or name the right one with "packageManager" in package.json.',
  });
}

function withoutLockfile(project: Project, family: Family, others: string[]): string {
  const bun = bunLockfiles.find((file) => project.entries.has(file));
  if (bun !== undefined) {
    return `${bun} cannot be read by npm: dependencies are resolved anew with a plain ${family} install and may differ from yours.`;
  }
  if (others.length > 0) return `packageManager says ${family}, so ${others.join(" and ")} is not used.`;
  return `There is no lockfile: a plain ${family} install resolves dependencies anew, so two deploys may differ. Commit one.`;
}

/** Berry's lockfile has a `__metadata` block; without a lockfile its configuration file or major version tells. */
function yarnFlavour(project: Project, declared: string | undefined): "yarn-classic" | "yarn-berry" {
  const lock = project.texts["yarn.lock"];
  if (lock?.includes("yarn lockfile v1")) return "yarn-classic";
  if (lock?.includes("__metadata:")) return "yarn-berry";
  if (declared !== undefined) return Number.parseInt(declared, 10) >= 2 ? "yarn-berry" : "yarn-classic";
  return project.entries.has(".yarnrc.yml") ? "yarn-berry" : "yarn-classic";
}

type Versions = Pick<PackageManager, "accepts" | "fetches">;

const exactly = (version: string): Versions => ({ accepts: version, fetches: version });

/** Majors differ in the lockfile they read. pnpm 10 rather than the newest: it still runs on Node 18. */
function versionsByLockfile(name: PackageManager["name"], project: Project): Versions {
  // Any npm reads any package-lock.json.
  if (name === "npm") return { accepts: "*", fetches: "*" };
  if (name === "yarn-classic") return { accepts: "1.x", fetches: "1" };
  if (name === "yarn-berry") return { accepts: ">=4", fetches: "4" };
  const format = /^lockfileVersion:\s*'?([\d.]+)/m.exec(project.texts["pnpm-lock.yaml"] ?? "")?.[1] ?? "9.0";
  if (format.startsWith("5.")) return { accepts: "7.x", fetches: "7" };
  return format.startsWith("6.") ? { accepts: "8.x", fetches: "8" } : { accepts: ">=9", fetches: "10" };
}
