import { join } from "node:path";
import { createNameCheck } from "./entry-name.ts";
import { createIgnoreRules, type IgnoreRules, ignoreFileName, readIgnoreFile } from "./ignore.ts";
import { type Child, childrenOf, type TreeEntry, toEntry } from "./tree-entry.ts";

/** Entries that belong together, by path bytes: a package of node_modules, or the application's own files. */
export interface EntryGroup {
  /** The package's folder with a slash at its end; "" for the application. */
  name: string;
  entries: TreeEntry[];
}

export interface WalkOptions {
  appFolder: string;
  /** Each node_modules folder in it is packed, and nothing else of it. */
  dependenciesFolder?: string | undefined;
}

/** What is known when all groups were taken. */
export interface Walked {
  /** All files and links by path bytes: the order of the manifest. */
  files: TreeEntry[];
  /** What was left out although nobody asked for it; a folder ends with a slash and stands for all in it. */
  excluded: string[];
}

/**
 * Lists what a folder and its installed dependencies hold, in an order that only their paths decide: dependencies by
 * package, then the application. Lazy, so that the first packages are compressed while later ones are still listed.
 */
export function* walkTree({ appFolder, dependenciesFolder }: WalkOptions): Generator<EntryGroup, Walked> {
  const rules = createIgnoreRules().within("", readIgnoreFile(appFolder));
  const modules = dependenciesFolder === undefined ? [] : findModules(dependenciesFolder, "");
  const dependencies = createListing({ root: dependenciesFolder ?? "", byPackage: true });
  for (const folder of modules) yield* dependencies.packages({ folder, place: "modules", rules, group: folder });
  const app = createListing({ root: appFolder, skipped: new Set(modules) });
  app.visit({ folder: "", place: "app", rules, group: "" });
  yield* app.takeGroups();
  return {
    files: byPath([...dependencies.files, ...app.files]),
    excluded: [...new Set([...dependencies.excluded, ...app.excluded])].sort(byBytes),
  };
}

/** Order by UTF-8 bytes, which is not JavaScript's own for characters beyond the basic plane. */
export function byBytes(a: string, b: string): number {
  if (beyondBasic.test(a) || beyondBasic.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a === b ? 0 : 1;
}

const beyondBasic = /[\ud800-\udfff]/;

/** Of tens of thousands of paths, hardly one is beyond the basic plane: that is asked of each once, not of each comparison. */
function byPath(entries: TreeEntry[]): TreeEntry[] {
  const isBasic = !entries.some(({ path }) => beyondBasic.test(path));
  return entries.sort(isBasic ? (a, b) => (a.path < b.path ? -1 : 1) : (a, b) => byBytes(a.path, b.path));
}

/** Workspaces have a node_modules of their own beside their package.json; what lies inside one belongs to it. */
function findModules(root: string, folder: string): string[] {
  return childrenOf(root, folder)
    .filter(({ isFolder }) => isFolder)
    .flatMap(({ name, path }) => (name === "node_modules" ? [`${path}/`] : findModules(root, `${path}/`)));
}

interface Visit {
  /** "" or with a slash at its end. */
  folder: string;
  /** `modules` and `scope` hold packages, `package` is in one. */
  place: "app" | "modules" | "scope" | "package";
  rules: IgnoreRules;
  group: string;
}

interface ListingOptions {
  root: string;
  byPackage?: boolean;
  /** Folders that another listing takes. */
  skipped?: Set<string>;
}

/** Collects one tree depth first. */
function createListing({ root, byPackage = false, skipped }: ListingOptions) {
  const groups = new Map<string, TreeEntry[]>();
  const files: TreeEntry[] = [];
  const excluded: string[] = [];
  const checkName = createNameCheck();

  /** The groups of one node_modules folder, each top-level package with those inside it at a time. */
  function* packages(at: Visit): Generator<EntryGroup> {
    const children = childrenOf(root, at.folder);
    for (const child of children) if (!child.isFolder) visitChild(child, at);
    for (const child of children) {
      if (!child.isFolder) continue;
      visitChild(child, at);
      yield* takeGroups();
    }
    yield* takeGroups();
  }

  /** How many entries this folder and all below it gave. */
  function visit(at: Visit): number {
    const children = childrenOf(root, at.folder);
    const own = at.place === "app" && at.folder !== "" && children.some(({ name }) => name === ignoreFileName);
    const rules = own ? at.rules.within(at.folder, readIgnoreFile(join(root, at.folder))) : at.rules;
    let taken = 0;
    for (const child of children) taken += visitChild(child, own ? { ...at, rules } : at);
    return taken;
  }

  function visitChild(child: Child, at: Visit): number {
    const { name, path, isFolder } = child;
    if (isFolder && skipped?.has(`${path}/`)) return 0;
    const verdict = at.rules.verdict({ path, name, isFolder, place: at.place === "scope" ? "package" : at.place });
    if (verdict === "rule") excluded.push(isFolder ? `${path}/` : path);
    if (verdict !== "take") return 0;
    checkName(child);
    const inside = isFolder ? enter(child, at) : at;
    const below = isFolder ? visit(inside) : 0;
    return below > 0 ? below : add(toEntry(child, root), inside.group); // an empty folder may be relied on
  }

  function enter({ name, path }: Child, { place, rules, group }: Visit): Visit {
    const folder = `${path}/`;
    const ownGroup = byPackage && (name === "node_modules" || place === "modules" || place === "scope");
    return { folder, place: placeIn(name, place), rules, group: ownGroup ? folder : group };
  }

  function add(entry: TreeEntry, group: string): number {
    const entries = groups.get(group);
    if (entries === undefined) groups.set(group, [entry]);
    else entries.push(entry);
    if (entry.kind !== "folder") files.push(entry);
    return 1;
  }

  /** What was collected since the last time. A folder sorts with its slash, which gives the order of whole paths. */
  function takeGroups(): EntryGroup[] {
    const taken = [...groups].map(([name, entries]) => ({ name, entries }));
    groups.clear();
    return taken.sort((a, b) => byBytes(a.name, b.name));
  }

  return { packages, visit, takeGroups, files, excluded };
}

function placeIn(name: string, place: Visit["place"]): Visit["place"] {
  if (name === "node_modules") return "modules";
  if (place === "modules") return name.startsWith("@") ? "scope" : "package";
  return place === "scope" ? "package" : place;
}
