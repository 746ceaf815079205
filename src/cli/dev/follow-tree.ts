import { existsSync } from "node:fs";
import { join } from "node:path";
import { changesBetween, isSameTree, lookAt, type TreeLook } from "./tree-changes.ts";
import { type TreeWatch, watchTree } from "./watch-tree.ts";

export interface FollowOptions {
  signal: AbortSignal;
  warn: (message: string) => void;
  /** Whether this change is the caller's own. */
  isOwn?: (path: string, mark: string | undefined) => boolean;
  /** How often it is looked without a hint: some file systems give none, and a laptop that slept may have missed some. */
  safetyMs?: number;
}

/** How long nothing may happen before a change is whole: an editor's save is several, a checkout thousands. */
const settleMs = 40;
/** A file that is written without end must not hold back all others. */
const settleAtMostMs = 10_000;
const blindMs = 1_000;

/**
 * Yields once at the start, and then the paths that changed, each time that a tree has come to rest in another state. What
 * changes while the caller works is part of the next. Hints only say when to look: what a look finds is what counts.
 */
export async function* followTree(root: string, options: FollowOptions): AsyncGenerator<string[], void> {
  const { signal, isOwn = () => false, safetyMs = 2_000 } = options;
  using watch = watchTree(root, options);
  let last = await settle(root, { watch, signal });
  yield [];
  while (!signal.aborted) {
    const { look, lookMs } = timedLook(root, last);
    if (isSameTree(last, look)) {
      watch.follow(look.folders);
      await watch.hinted(watch.isBlind ? blindMs : Math.max(safetyMs, 50 * lookMs), signal);
      continue;
    }
    const settled = await settle(root, { watch, signal, last });
    const changed = changesBetween(last, settled).filter((path) => !isOwn(path, settled.marks.get(path)));
    const isOther = changed.length > 0 || last.trouble !== settled.trouble;
    last = settled;
    if (isOther && !signal.aborted) yield changed;
  }
}

interface Settling {
  watch: TreeWatch;
  signal: AbortSignal;
  last?: TreeLook;
}

/** Looks until two looks show the same and nothing was heard between them. */
async function settle(root: string, { watch, signal, last }: Settling): Promise<TreeLook> {
  const since = performance.now();
  let look = lookAt(root, last);
  for (;;) {
    watch.follow(look.folders); // what appears in a new folder before it is watched, the next look finds
    const heard = await watch.hinted(settleMs, signal);
    const next = lookAt(root, last);
    const rests = !heard && isSameTree(look, next) && !existsSync(join(root, ".git", "index.lock"));
    if (rests || signal.aborted || performance.now() - since > settleAtMostMs) return next;
    look = next;
  }
}

function timedLook(root: string, last: TreeLook) {
  const since = performance.now();
  return { look: lookAt(root, last), lookMs: performance.now() - since };
}
