import { chmodSync, closeSync, fchmodSync, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";
import type { TreeNode } from "./entry-tree.ts";
import type { ArtifactSink } from "./read-artifact.ts";
import { refusal } from "./refusal.ts";

/**
 * Writes entries below `root`, which is empty and ours. The calls are synchronous: a small file costs a third of what it
 * takes through the thread pool, which inflates the next piece meanwhile, and memory stays bounded without a queue.
 */
export function createTreeWriter(
  root: string,
): ArtifactSink & { links(nodes: Iterable<TreeNode>): void; abandon(): void } {
  const masked = process.umask();
  let open: { path: string; descriptor: number } | undefined;

  function folder(path: string): void {
    attempt(path, () => {
      mkdirSync(join(root, path), 0o755);
      if (masked & 0o755) chmodSync(join(root, path), 0o755);
    });
  }

  function file(path: string, { executable }: { executable: boolean }): void {
    const mode = executable ? 0o755 : 0o644;
    // "wx" never follows a link and never opens what is there already
    const descriptor = attempt(path, () => openSync(join(root, path), "wx", mode));
    open = { path, descriptor };
    if (masked & mode) attempt(path, () => fchmodSync(descriptor, mode));
  }

  function data(bytes: Buffer): void {
    if (open === undefined) throw new Error("bytes without a file");
    const { path, descriptor } = open;
    attempt(path, () => {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at);
    });
  }

  function fileEnd(): void {
    if (open === undefined) throw new Error("the end of no file");
    const { path, descriptor } = open;
    open = undefined;
    attempt(path, () => closeSync(descriptor));
  }

  /** Links come last: while files are written there is none to write through. */
  function links(nodes: Iterable<TreeNode>): void {
    for (const { path, target } of nodes) {
      if (target !== undefined) attempt(path, () => symlinkSync(target, join(root, path)));
    }
  }

  /** Closes what a failure left open. */
  function abandon(): void {
    if (open !== undefined) closeSync(open.descriptor);
    open = undefined;
  }

  return { folder, file, data, fileEnd, links, abandon };
}

/** What a file system refuses beyond our own rules is the archive's fault as well. */
function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") throw refusal("name_twin", "this file system takes it for another entry", { entry: path });
    if (code === "ENAMETOOLONG")
      throw refusal("path_too_long", "this file system takes no path so long", { entry: path });
    if (code === "EILSEQ") throw refusal("path_encoding", "this file system does not take its name", { entry: path });
    throw error;
  }
}
