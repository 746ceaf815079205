import { changesBetween, lookAt, type TreeLook } from "./tree-changes.ts";

/** Which changes come from the build itself: they are packed with it, and no reason to build again. */
export interface BuildOutputs {
  /** Runs a build and learns what it writes. */
  during(build: () => Promise<void>): Promise<void>;
  /** Whether a path is as a build left it. */
  isOwn(path: string, mark: string | undefined): boolean;
}

/**
 * The first build tells what builds write. Later ones may have been saved into: what only one of them wrote counts as a
 * change, and what two wrote as theirs. So a save is never lost, and an output with a new name costs one build more.
 */
export function createBuildOutputs(root: string): BuildOutputs {
  const left = new Map<string, string | undefined>();
  let writtenBefore: ReadonlySet<string> | undefined;

  function learn(before: TreeLook, after: TreeLook): void {
    const written = new Set(changesBetween(before, after));
    for (const path of written) {
      if (writtenBefore?.has(path) ?? true) left.set(path, after.marks.get(path));
      else left.delete(path);
    }
    writtenBefore = written;
  }

  return {
    async during(build) {
      const before = lookAt(root);
      try {
        await build();
      } finally {
        learn(before, lookAt(root));
      }
    },
    isOwn: (path, mark) => left.has(path) && left.get(path) === mark,
  };
}
