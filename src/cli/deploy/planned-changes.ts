import { isDeepStrictEqual } from "node:util";
import type { Manifest } from "../../core/artifact-layout.ts";
import type { ReleaseView, VariableView } from "../../core/wire.ts";
import type { PackedProject } from "./pack-project.ts";

/** What a deploy would change against what runs; null where nothing runs that could be compared. */
export interface PlannedChanges {
  /** What runs, or is on its way. */
  against: { version: number; digest: string; status: string } | null;
  same_artifact: boolean;
  /** Null when this machine does not know the files of what runs. */
  files: Changed | null;
  /** The packages among them, by name. */
  packages: Changed | null;
  configuration: { name: string; before: unknown; after: unknown }[];
  /** Set since what runs was released: the deploy takes them along. Null when the server cannot say. */
  variables: Pick<Changed, "added" | "removed"> | null;
  locked: string | null;
}

export interface Changed {
  added: string[];
  removed: string[];
  changed: string[];
}

export interface Compared {
  packed: Pick<PackedProject, "digest" | "config" | "replicas" | "manifest">;
  release: ReleaseView | undefined;
  /** Of what runs, where it is known. */
  before: Manifest | undefined;
  variables: VariableView[];
  /** What the app was scaled to, which goes before its configuration. */
  scale: number | null;
  locked: string | null;
}

/** Compares what was packed with what runs. */
export function plannedChanges({ packed, release, before, variables, scale, locked }: Compared): PlannedChanges {
  const same = release?.digest === packed.digest;
  const files = before && changedFiles(before, packed.manifest);
  return {
    against: release ? { version: release.version, digest: release.digest, status: release.status } : null,
    same_artifact: same,
    files: same ? nothing : (files ?? null),
    packages: same ? nothing : files ? packagesIn(files) : null,
    configuration: release ? changedConfiguration(packed, release, scale) : [],
    variables: changedVariables(variables, release),
    locked,
  };
}

const nothing: Changed = { added: [], removed: [], changed: [] };

function changedFiles(before: Manifest, after: Manifest): Changed {
  const hashes = (manifest: Manifest) => new Map(manifest.files.map(({ path, sha256 }) => [path, sha256]));
  const [old, now] = [hashes(before), hashes(after)];
  return {
    added: [...now.keys()].filter((path) => !old.has(path)),
    removed: [...old.keys()].filter((path) => !now.has(path)),
    changed: [...now].flatMap(([path, hash]) => (old.has(path) && old.get(path) !== hash ? [path] : [])),
  };
}

/** A package whose package.json comes or goes was added or removed; any other file of it says that it changed. */
function packagesIn({ added, removed, changed }: Changed): Changed {
  const own = (paths: string[]) => new Set(paths.flatMap((path) => packageJson.exec(path)?.[1] ?? []));
  const [come, gone] = [own(added), own(removed)];
  const touched = new Set([...added, ...removed, ...changed].flatMap((path) => packageOf(path) ?? []));
  return {
    added: [...come].filter((name) => !gone.has(name)).sort(),
    removed: [...gone].filter((name) => !come.has(name)).sort(),
    changed: [...touched].filter((name) => come.has(name) === gone.has(name)).sort(),
  };
}

const packageJson = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\/package\.json$/;
const packageOf = (path: string) => /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/.][^/]*)\//.exec(path)?.[1];

function changedConfiguration(
  { config, replicas = 1 }: Compared["packed"],
  release: ReleaseView,
  scale: number | null,
): PlannedChanges["configuration"] {
  const before: Record<string, unknown> = { ...release.config, replicas: scale ?? release.replicas };
  const after: Record<string, unknown> = { ...config, replicas: scale ?? replicas };
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) =>
    isDeepStrictEqual(before[name], after[name])
      ? []
      : [{ name, before: before[name] ?? null, after: after[name] ?? null }],
  );
}

function changedVariables(variables: VariableView[], release: ReleaseView | undefined): PlannedChanges["variables"] {
  const names = variables.map(({ name }) => name);
  if (release === undefined) return { added: names, removed: [] };
  const before = release.variables;
  if (before === null) return null;
  return {
    added: names.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !names.includes(name)),
  };
}
