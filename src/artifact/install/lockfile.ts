import { AetherError } from "../../lib/errors.ts";
import type { PackageManager } from "../project/package-manager.ts";
import type { Project } from "../project/project.ts";
import { lockfileRemedy } from "./install-command.ts";

/**
 * Refuses a yarn.lock that does not know a dependency of package.json: Yarn's production installs resolve it anew
 * without a word. npm and pnpm check for themselves.
 */
export function checkLockfile(project: Project, manager: PackageManager): void {
  const lock = project.texts["yarn.lock"];
  if (!manager.name.startsWith("yarn") || lock === undefined) return;
  const known = descriptors(lock);
  const { dependencies, devDependencies, optionalDependencies } = project.packageJson;
  const wanted = Object.entries({ ...devDependencies, ...optionalDependencies, ...dependencies });
  const missing = wanted
    .filter(([name, range]) => !isKnown(known, name, range))
    .map(([name, range]) => `${name}@${range}`);
  if (missing.length > 0) throw lockfileOutOfStep(manager, [`Not in yarn.lock: ${missing.join(", ")}`]);
}

/** The keys of a yarn.lock, `name@range` each, without the `npm:` that Berry writes. */
function descriptors(lock: string): Set<string> {
  const keys = lock.split("\n").filter((line) => /^\S.*:$/.test(line) && !line.startsWith("#"));
  return new Set(keys.flatMap((line) => line.slice(0, -1).replaceAll('"', "").split(", ")).map(withoutProtocol));
}

const withoutProtocol = (descriptor: string): string => descriptor.replace("@npm:", "@");

function isKnown(known: ReadonlySet<string>, name: string, range: string): boolean {
  // Local ones, workspaces and catalogs are keyed by what they resolve to.
  if (/^(file|link|portal|workspace|patch|catalog|exec):|^\.{0,2}\//.test(range)) return true;
  return known.has(withoutProtocol(`${name}@${range}`));
}

const driftSigns =
  /can only install packages when your package\.json and|ERR_PNPM_(OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH|LOCKFILE_MISSING_DEPENDENCY)|lockfile needs to be updated|YN0028/;

/** Whether a package manager's output says that lockfile and package.json disagree. */
export const reportsDrift = (output: readonly string[]): boolean => output.some((line) => driftSigns.test(line));

/** The refusal, with the command that mends it. */
export function lockfileOutOfStep(manager: PackageManager, output: readonly string[]): AetherError {
  const file = manager.lockfile ?? "The lockfile";
  const said = output
    .map((line) => line.replace(/^npm error\s?/, "").trim())
    .filter((line) =>
      /Missing:|Invalid:|Not in yarn\.lock|dependencies were (added|removed|changed)|are mismatched/i.test(line),
    );
  return new AetherError(
    "preflight_failed",
    [`${file} is out of step with package.json.`, ...said.slice(0, 10)].join("\n"),
    {
      hint: `Run ${lockfileRemedy(manager)} and commit ${file}.`,
    },
  );
}
