import { formatBytes } from "../../lib/bytes.ts";
import { AetherError } from "../../lib/errors.ts";
import { memoryOf } from "../unpack/entry-tree.ts";
import { defaultUnpackLimits } from "../unpack/unpack-limits.ts";
import type { MemberPlan } from "./member-plan.ts";

const { bytes: maxTarBytes, entries: maxEntries, nameBytes: maxNameBytes, ratio, ratioFreeBytes } = defaultUnpackLimits;

/** Adds a tree up, and refuses what the unpacker would refuse: said here, it costs a person no upload. */
export function createLimits() {
  const folders = new Set<string>();
  let entries = 0;
  let nameBytes = 0;
  let tarBytes = 0;
  let contentBytes = 0;

  function count(path: string): void {
    entries += 1;
    nameBytes += memoryOf(path);
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      if (folders.has(folder)) return;
      folders.add(folder);
      entries += 1;
      nameBytes += memoryOf(folder);
    }
  }

  function add(plan: MemberPlan): void {
    tarBytes += plan.rawBytes;
    for (const { path, target, size } of plan.entries) {
      count(path);
      nameBytes += memoryOf(target);
      contentBytes += size;
    }
    if (entries > maxEntries) throw tooMuch(`more than ${maxEntries} files and folders`);
    if (nameBytes > maxNameBytes) throw tooMuch(`names that together take more than ${formatBytes(maxNameBytes)}`);
    if (tarBytes > maxTarBytes) throw tooMuch(`more than ${formatBytes(maxTarBytes)}`);
  }

  return {
    add,
    /** Of all files together. */
    get contentBytes() {
      return contentBytes;
    },
  };
}

/** Refuses what the unpacker would take for a bomb. */
export function checkRatio(tarBytes: number, compressedBytes: number): void {
  if (tarBytes <= ratioFreeBytes + ratio * compressedBytes) return;
  throw new AetherError(
    "preflight_failed",
    `Cannot pack the folder: its files shrink to less than 1/${ratio} of their size.`,
    {
      hint: "Leave out files that hold almost nothing (disk images, sparse files, logs) with lines in .aetherignore.",
    },
  );
}

function tooMuch(what: string): AetherError {
  return new AetherError("preflight_failed", `Cannot pack the folder: it holds ${what}.`, {
    hint: "Leave out what the application does not need with lines in .aetherignore.",
  });
}
