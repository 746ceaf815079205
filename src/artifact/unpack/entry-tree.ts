import { type RefusalRule, refusal } from "./refusal.ts";
import type { TarEntry } from "./tar-reader.ts";
import type { UnpackLimits } from "./unpack-limits.ts";

/** A path of the artifact that is known so far. */
export interface TreeNode {
  path: string;
  kind: TarEntry["kind"];
  /** A folder that only follows from a longer path may still get its own entry. */
  implied: boolean;
  target?: string;
  /** Of the bytes of a file, or of the text of a link's target. */
  sha256?: string;
  /** The manifest lists it. */
  listed?: boolean;
}

/** What all entries together must obey: no name twice, nothing through a link, links that stay inside. */
export interface EntryTree {
  /** Registers an entry; the folders that must be made for it come back, outermost first. */
  add(entry: TarEntry): { node: TreeNode; folders: string[] };
  /** Call when all entries are known. */
  checkLinks(): void;
  nodes(): Iterable<TreeNode>;
  find(path: string): TreeNode | undefined;
}

interface TreeOptions {
  /** Whether the file system below takes `A` and `a` for one name. */
  foldsCase: boolean;
  limits: Pick<UnpackLimits, "entries" | "nameBytes">;
}

/**
 * An empty tree. Names that differ only in Unicode normalisation are always refused, because macOS would write them into
 * one file; names that differ only in case are refused where the file system folds case.
 */
export function createEntryTree({ foldsCase, limits }: TreeOptions): EntryTree {
  const nodes = new Map<string, TreeNode>();
  const keyOf = foldsCase ? foldedKey : normalisedKey;
  let nameBytes = 0;

  function add(entry: TarEntry): { node: TreeNode; folders: string[] } {
    const folders: string[] = [];
    ensureParents(entry.path, folders);
    const key = keyOf(entry.path);
    const known = nodes.get(key);
    if (known === undefined) return { node: insert(key, newNode(entry, folders)), folders };
    checkSame(known, entry.path);
    if (known.kind !== entry.kind) throw conflict(entry.path, known);
    if (!known.implied) throw refusal("duplicate", "it occurs twice", { entry: entry.path });
    known.implied = false;
    return { node: known, folders };
  }

  function newNode(entry: TarEntry, folders: string[]): TreeNode {
    if (entry.kind === "folder") folders.push(entry.path);
    if (entry.kind !== "link") return { path: entry.path, kind: entry.kind, implied: false };
    nameBytes += memoryOf(entry.target);
    return { path: entry.path, kind: "link", implied: false, target: entry.target };
  }

  function insert(key: string, node: TreeNode): TreeNode {
    nodes.set(key, node);
    nameBytes += memoryOf(key);
    if (nodes.size > limits.entries) throw refusal("limit_entries", `it has more than ${limits.entries} entries`);
    if (nameBytes > limits.nameBytes)
      throw refusal("limit_names", `its names take more than ${limits.nameBytes} bytes`);
    return node;
  }

  function ensureParents(path: string, created: string[]): void {
    const slash = path.lastIndexOf("/");
    if (slash === -1) return;
    const parent = path.slice(0, slash);
    const key = keyOf(parent);
    const known = nodes.get(key);
    if (known === undefined) {
      ensureParents(parent, created);
      insert(key, { path: parent, kind: "folder", implied: true });
      created.push(parent);
      return;
    }
    checkSame(known, parent);
    if (known.kind === "link") throw refusal("through_link", "its path leads through a link", { entry: path });
    if (known.kind === "file") throw conflict(path, known);
  }

  const find = (path: string): TreeNode | undefined => nodes.get(keyOf(path));
  return { add, find, nodes: () => nodes.values(), checkLinks: () => checkLinks(nodes.values(), find) };
}

function checkSame(known: TreeNode, path: string): void {
  if (known.path === path) return;
  throw refusal("name_twin", "another entry has the same name in another case or Unicode form", { entry: path });
}

const conflict = (path: string, known: TreeNode) =>
  refusal("kind_conflict", `its path needs something else where there is a ${known.kind}`, { entry: path });

const isAscii = (path: string): boolean => Buffer.byteLength(path) === path.length;

/** Other text is held in two bytes a character, and a second time in its normal form. */
export const memoryOf = (text: string): number => (isAscii(text) ? 1 : 4) * text.length;

const normalisedKey = (path: string): string => (isAscii(path) ? path : path.normalize("NFC"));

/** Lower, then upper case: "ß" meets "SS" and the ligature "ﬁ" meets "fi", as they do on APFS. */
const foldedKey = (path: string): string => path.normalize("NFD").toLowerCase().toUpperCase().normalize("NFD");

const maxHops = 40; // what Linux allows
/** Characters of path looked at for all links together: a hostile web of links may not take minutes. */
const maxWork = 100_000_000;

/** Follows every link as the file system will, so that not even a chain of links leads outside. */
function checkLinks(nodes: Iterable<TreeNode>, find: (path: string) => TreeNode | undefined): void {
  let work = 0;
  for (const node of nodes) if (node.target !== undefined) follow(node.path, node.target);

  function follow(path: string, target: string): void {
    const at = path.split("/").slice(0, -1);
    const todo = target.split("/").reverse();
    for (let hops = 0; todo.length > 0; ) {
      const part = todo.pop();
      if (part === undefined || part === "" || part === ".") continue;
      if (part === "..") {
        if (at.pop() === undefined) throw bad("link_escape", "it is a link that leads outside the artifact");
        continue;
      }
      at.push(part);
      const here = at.join("/");
      work += here.length + 8;
      if (work > maxWork) throw refusal("limit_links", "its links are too many or too entangled");
      const next = find(here)?.target;
      if (next === undefined) continue; // also a link to nothing: it cannot be read, and cannot lead outside
      hops += 1;
      if (hops > maxHops) throw bad("link_loop", "it is a link in a loop");
      at.pop();
      for (const segment of next.split("/").reverse()) todo.push(segment);
    }
    if (at.length === 0) throw bad("link_to_root", "it is a link to the whole artifact");

    function bad(rule: RefusalRule, why: string) {
      return refusal(rule, why, { entry: path, hint: "Remove the link or put a copy in its place, then pack again." });
    }
  }
}
