import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Content of a file; `null` makes an empty folder. */
export type TreeNode = string | Uint8Array | null | { link: string } | { executable: string };

/** Writes a tree of files below `root`: `{ "lib/index.js": "…", "bin/run": { executable: "…" } }`. */
export function writeTree(root: string, tree: Record<string, TreeNode>): void {
  mkdirSync(root, { recursive: true });
  for (const [name, node] of Object.entries(tree)) {
    const path = join(root, name);
    mkdirSync(node === null ? path : dirname(path), { recursive: true });
    if (node === null) continue;
    if (typeof node === "string" || node instanceof Uint8Array) writeFileSync(path, node);
    else if ("link" in node) symlinkSync(node.link, path);
    else {
      writeFileSync(path, node.executable);
      chmodSync(path, 0o755);
    }
  }
}
