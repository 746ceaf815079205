import { blockBytes, paddedBytes } from "./tar-writer.ts";
import type { TreeEntry } from "./tree-entry.ts";
import type { EntryGroup } from "./walk.ts";

const MiB = 1024 * 1024;

/** A member holds at least this much input where there is so much: smaller ones compress worse. */
const enoughBytes = MiB;
/** Where no better place for a cut comes, a member ends here. */
const mostBytes = 2 * MiB;
/** A file larger than this is cut into members of its own. */
const largeBytes = 4 * MiB;
/** The cuts of a large file. */
export const pieceBytes = 2 * MiB;

/** Entries whose tar bytes become one gzip member; a large file alone becomes several. */
export interface MemberPlan {
  entries: TreeEntry[];
  rawBytes: number;
  isLarge: boolean;
}

/**
 * Cuts the tree into members by names and sizes alone, so that the plan is the same everywhere and is made before a byte
 * is read. Cuts lie between packages, and inside a large one behind names that their hash chooses: a file added
 * somewhere moves the cuts near it and no others.
 */
export function* planMembers<Result>(groups: Generator<EntryGroup, Result>): Generator<MemberPlan, Result> {
  let entries: TreeEntry[] = [];
  let rawBytes = 0;

  function* cut(): Generator<MemberPlan> {
    if (entries.length > 0) yield { entries, rawBytes, isLarge: false };
    entries = [];
    rawBytes = 0;
  }

  for (;;) {
    const next = groups.next();
    if (next.done) {
      yield* cut();
      return next.value;
    }
    const group = next.value;
    const isApp = group.name === "";
    if (isApp || rawBytes >= enoughBytes || (rawBytes >= enoughBytes / 4 && isBig(group))) yield* cut();
    for (const entry of group.entries.toSorted(byName)) {
      const bytes = tarBytes(entry);
      if (entry.size > largeBytes) {
        yield* cut();
        yield { entries: [entry], rawBytes: bytes, isLarge: true };
        continue;
      }
      entries.push(entry);
      rawBytes += bytes;
      if (rawBytes >= mostBytes || (rawBytes >= enoughBytes && isCutName(entry.path))) yield* cut();
    }
  }
}

/**
 * Files of one name resemble each other (an `index.js` per folder, the CommonJS and ESM twins of a module), and gzip looks
 * back 32 KiB only: side by side, they make the artifact 4 % smaller. Those of one name stay in the order of their paths.
 */
const byName = (a: TreeEntry, b: TreeEntry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** What an entry takes in the tar stream, but for rare PAX headers. */
const tarBytes = (entry: TreeEntry): number => blockBytes + paddedBytes(entry.size);

const isCutName = (path: string): boolean => Bun.hash.crc32(path) % 8 === 0;

function isBig({ entries }: EntryGroup): boolean {
  let bytes = 0;
  for (const entry of entries) {
    bytes += tarBytes(entry);
    if (bytes >= enoughBytes) return true;
  }
  return false;
}
