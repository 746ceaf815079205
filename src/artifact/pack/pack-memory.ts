import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import { sha256 } from "./member.ts";
import { writeWhole } from "./member-cache.ts";
import type { MemberPlan } from "./member-plan.ts";

/** What is known of a plan whose files are as they were: nothing of it need be read. */
export interface KnownPlan {
  /** Keys of its members. */
  keys: string[];
  /** SHA-256 of each entry's content, joined by commas. */
  contents: string;
  /** Of its members, compressed. */
  sizeBytes: number;
}

/** What earlier packs of one tree found, by plan signature. */
export type PackMemory = Map<string, KnownPlan>;

/** Everything that would be different if a file of the plan had been touched since. */
export function signatureOf({ entries }: MemberPlan): string {
  const numbers = new Float64Array(entries.length * 4);
  const words: string[] = [];
  let at = 0;
  for (const { kind, path, size, executable, target, mtimeMs, ctimeMs, ino } of entries) {
    words.push(kind === "link" ? `l${target}` : executable ? "x" : kind === "file" ? "f" : "d", path);
    numbers[at] = size;
    numbers[at + 1] = mtimeMs;
    numbers[at + 2] = ctimeMs;
    numbers[at + 3] = ino;
    at += 4;
  }
  return new Bun.CryptoHasher("sha256").update(words.join("\n")).update(numbers).digest("hex");
}

/**
 * Whether times can tell a later change of these files: git's rule for racily clean entries. A file that was written in
 * the same tick of its file system's clock as it was read in may change once more without a new time.
 */
export function isSettled({ entries }: Pick<MemberPlan, "entries">, startedMs: number): boolean {
  return entries.every(({ mtimeMs, ctimeMs }) => {
    const latest = Math.max(mtimeMs, ctimeMs);
    return latest < startedMs - (Number.isInteger(latest / 1000) ? coarseTickMs : fineTickMs);
  });
}

const fineTickMs = 100; // kernels stamp files with a clock that ticks every 1 to 10 ms
const coarseTickMs = 2000; // FAT counts two seconds, HFS+ one

/** The memory of a tree, empty when there is none that can be read. */
export function readPackMemory(folder: string, tree: string): PackMemory {
  try {
    const text = readFileSync(memoryFile(folder, tree), "utf8");
    const [sum, body] = [text.slice(0, 64), text.slice(65)];
    return sum === sha256(body) ? new Map(Object.entries(JSON.parse(body) as Record<string, KnownPlan>)) : new Map();
  } catch (error) {
    if (systemCode(error) !== undefined) return new Map();
    throw error;
  }
}

/** Replaces the memory of a tree. */
export function writePackMemory(folder: string, tree: string, memory: PackMemory): void {
  const body = JSON.stringify(Object.fromEntries(memory));
  writeWhole(folder, memoryFile(folder, tree), [Buffer.from(`${sha256(body)}\n${body}`)]);
}

const memoryFile = (folder: string, tree: string): string => join(folder, `tree-${sha256(tree)}.json`);
