import { manifestPath, metadataFolder, tocPath } from "../../core/artifact-layout.ts";
import type { TreeNode } from "./entry-tree.ts";
import { createManifestReader, invalidManifest } from "./manifest-reader.ts";
import { refusal } from "./refusal.ts";

/** What is said about the unpacked folder itself; no artifact may bring it. */
export const unpackedPath = `${metadataFolder}/unpacked.json`;

/** The paths that a manifest is compared with. */
export interface KnownPaths {
  find(path: string): TreeNode | undefined;
  nodes(): Iterable<TreeNode>;
}

/**
 * Compares `.aether/manifest.json` with the tree while it is read, since hundreds of thousands of lines would take more
 * memory than the rest together. It must follow the files it lists, sorted by path bytes. Folders are not listed.
 */
export function createManifestCheck({ find, nodes }: KnownPaths) {
  let before: string | undefined;

  const reader = createManifestReader(({ path, sha256 }) => {
    if (before !== undefined && !isBefore(before, path)) {
      throw invalidManifest("its paths are not sorted or occur twice");
    }
    before = path;
    const node = find(path);
    if (node?.path !== path || node.kind === "folder") {
      throw refusal("manifest_missing_file", "the manifest lists it, but it is not there", { entry: path });
    }
    if (node.sha256 !== sha256) {
      throw refusal("manifest_mismatch", "its bytes are not those of the manifest", { entry: path });
    }
    node.listed = true;
  });

  /** Call when all entries are known: there may be none that the manifest does not list. */
  function checkAllListed(): void {
    for (const node of nodes()) {
      // the table of contents describes the members around it, so it cannot stand in the manifest, and is only a hint
      if (node.kind === "folder" || node.listed || unlisted.has(node.path)) continue;
      throw refusal("manifest_extra_file", "the manifest does not list it", { entry: node.path });
    }
  }

  return { write: reader.write, close: reader.close, checkAllListed };
}

const unlisted = new Set([manifestPath, tocPath, unpackedPath]);

/** By UTF-8 bytes, which differs from the order of strings only where surrogates are. */
function isBefore(a: string, b: string): boolean {
  return hasSurrogates.test(a + b) ? Buffer.from(a).compare(Buffer.from(b)) < 0 : a < b;
}

const hasSurrogates = /[\ud800-\udfff]/;
