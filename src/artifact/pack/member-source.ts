import { closeSync } from "node:fs";
import {
  changed,
  keyOfBytes,
  type Member,
  type MemberInput,
  type MemberOptions,
  openListed,
  readFully,
} from "./member.ts";
import type { CachedMember } from "./member-cache.ts";
import type { MemberMaker } from "./member-maker.ts";
import { type MemberPlan, pieceBytes } from "./member-plan.ts";
import type { KnownPlan } from "./pack-memory.ts";
import { paddedBytes, tarHeader } from "./tar-writer.ts";
import type { TreeEntry } from "./tree-entry.ts";

/** How the members of plans come about. */
export interface MemberSource extends Pick<MemberOptions, "level"> {
  maker: MemberMaker;
  /** A member out of the cache. */
  find(key: string): Promise<CachedMember | undefined>;
  /** Takes members in the order of the artifact; waits while too many are under way. */
  put(member: Promise<Member>): Promise<void>;
}

/** Puts the members of a plan, from the cache when its files are as they were. What is learned settles with them. */
export async function putPlan(
  plan: MemberPlan,
  known: KnownPlan | undefined,
  source: MemberSource,
): Promise<{ learned: Promise<KnownPlan> }> {
  const [entry] = plan.entries;
  if (plan.isLarge && entry !== undefined) {
    if (known === undefined) return putLarge(entry, source);
    for (const [index, key] of known.keys.entries()) await source.put(reusePiece({ entry, index, key }, source));
    return { learned: Promise.resolve(known) };
  }
  const member = known === undefined ? source.maker.make(inputOf(plan)) : reuse(plan, known, source);
  await source.put(member);
  return {
    learned: member.then(({ key, contents, bytes }) => ({
      keys: [key],
      contents,
      sizeBytes: bytes.length,
    })),
  };
}

/** Only what a worker needs: the rest would be copied between threads. */
const inputOf = ({ entries }: MemberPlan): MemberInput => ({
  entries: entries.map(({ kind, path, source, size, executable, target }) => ({
    kind,
    path,
    source,
    size,
    executable,
    target,
  })),
});

async function reuse(plan: MemberPlan, known: KnownPlan, { find, maker }: MemberSource): Promise<Member> {
  const [key = ""] = known.keys;
  const found = await find(key);
  if (found === undefined) return maker.make(inputOf(plan));
  return { ...found, key, contents: known.contents, reused: true };
}

/** Reads a large file once, from start to end, so that its hash and its members cannot tell different stories. */
async function putLarge(entry: TreeEntry, { maker, put }: MemberSource): Promise<{ learned: Promise<KnownPlan> }> {
  const hash = new Bun.CryptoHasher("sha256");
  const keys: Promise<string>[] = [];
  let sizeBytes = 0;
  const descriptor = openListed(entry);
  try {
    for (let index = 0; index * pieceBytes < entry.size; index += 1) {
      const { bytes, content } = readPiece(descriptor, entry, index);
      hash.update(content);
      const member = maker.make({ bytes });
      const key = member.then((made) => {
        sizeBytes += made.bytes.length;
        return made.key;
      });
      key.catch(() => {}); // the writer sees the same failure
      keys.push(key);
      await put(member);
    }
    if (readFully(descriptor, Buffer.alloc(1), { source: entry.source, position: entry.size }) > 0)
      throw changed(entry.path);
  } finally {
    closeSync(descriptor);
  }
  const contents = hash.digest("hex");
  return { learned: Promise.all(keys).then((all) => ({ keys: all, contents, sizeBytes })) };
}

/** One piece of a large file whose whole hash is known: what the cache lost must come out as it was. */
async function reusePiece(
  piece: { entry: TreeEntry; index: number; key: string },
  source: MemberSource,
): Promise<Member> {
  const { entry, index, key } = piece;
  const found = await source.find(key);
  if (found !== undefined) return { ...found, key, contents: "", reused: true };
  const descriptor = openListed(entry);
  try {
    const { bytes } = readPiece(descriptor, entry, index);
    if (keyOfBytes(bytes, source.level) !== key) throw changed(entry.path);
    return await source.maker.make({ bytes });
  } finally {
    closeSync(descriptor);
  }
}

/** The tar bytes of one piece: the header before the first, the padding behind the last. */
function readPiece(descriptor: number, entry: TreeEntry, index: number): { bytes: Buffer; content: Uint8Array } {
  const position = index * pieceBytes;
  const size = Math.min(pieceBytes, entry.size - position);
  const isLast = position + size === entry.size;
  const header = index === 0 ? tarHeader(entry) : new Uint8Array();
  const bytes = Buffer.from(
    new ArrayBuffer(header.length + (isLast ? size + paddedBytes(entry.size) - entry.size : size)),
  );
  bytes.set(header);
  const content = bytes.subarray(header.length, header.length + size);
  if (readFully(descriptor, content, { source: entry.source, position }) !== size) throw changed(entry.path);
  return { bytes, content };
}
