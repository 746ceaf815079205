import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir, readFile, readlink, rename, writeFile } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import { manifestPath } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { AetherError, systemCode } from "../../lib/errors.ts";
import type { TreeNode } from "./entry-tree.ts";
import { createManifestCheck, unpackedPath } from "./manifest-check.ts";
import { hashFile } from "./read-artifact.ts";
import { stagingPath } from "./staging.ts";

/** Written into the staging folder as its last file; the rename makes it and the whole tree visible at once. */
export interface UnpackedMarker {
  digest: Digest;
  files: number;
  bytes: number;
  manifest_sha256: string | undefined;
  /** Files are not synced one by one, so after a power loss only hashes tell what reached the disk. */
  boot: string;
}

/**
 * What `folder` was unpacked from, when it is whole and of `digest`; undefined when it must be unpacked again.
 * Cheap within one boot of the machine; after a restart, or when `thorough`, all files are compared with the manifest.
 */
export async function verifyUnpacked(
  folder: string,
  digest: Digest,
  { thorough = false }: { thorough?: boolean } = {},
): Promise<UnpackedMarker | undefined> {
  const marker = await readMarker(folder);
  if (marker?.digest !== digest) return undefined;
  if (marker.boot === bootId() && !thorough) return marker;
  if (!(await matchesManifest(folder, marker))) return undefined;
  const current = { ...marker, boot: bootId() };
  await writeMarker(folder, current);
  return current;
}

/** Says in `folder` what it holds; replaces what was said before. */
export async function writeMarker(folder: string, marker: UnpackedMarker): Promise<void> {
  const temporary = stagingPath(join(folder, ".aether"));
  await writeFile(temporary, `${JSON.stringify(marker)}\n`);
  await rename(temporary, join(folder, unpackedPath));
}

/** Changes whenever the machine starts. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // macOS: the minute it started in; a wrong guess costs one comparison of hashes
    return `minute-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  }
}

async function readMarker(folder: string): Promise<UnpackedMarker | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, unpackedPath), "utf8"));
    return isMarker(value) ? value : undefined;
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof SyntaxError || code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function isMarker(value: unknown): value is UnpackedMarker {
  if (typeof value !== "object" || value === null || !("digest" in value) || !("boot" in value)) return false;
  return "files" in value && typeof value.files === "number" && "bytes" in value && typeof value.bytes === "number";
}

async function matchesManifest(folder: string, marker: UnpackedMarker): Promise<boolean> {
  if (marker.manifest_sha256 === undefined) return false;
  try {
    const text = await readFile(join(folder, manifestPath));
    if (createHash("sha256").update(text).digest("hex") !== marker.manifest_sha256) return false;
    const known = await hashTree(folder);
    const manifest = createManifestCheck({ find: (path) => known.get(path), nodes: () => known.values() });
    manifest.write(text);
    manifest.close();
    manifest.checkAllListed();
    return true;
  } catch (error) {
    if (error instanceof AetherError || systemCode(error) !== undefined) return false; // unreadable is not whole
    throw error;
  }
}

async function hashTree(root: string): Promise<Map<string, TreeNode>> {
  const nodes = new Map<string, TreeNode>();
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (path !== unpackedPath) nodes.set(path, await hashNode(root, path, entry.isSymbolicLink()));
    }
  }
  return nodes;
}

async function hashNode(root: string, path: string, isLink: boolean): Promise<TreeNode> {
  const source = join(root, path);
  const sha256 = isLink
    ? createHash("sha256")
        .update(await readlink(source))
        .digest("hex")
    : await hashFile(source);
  return { path, kind: isLink ? "link" : "file", implied: false, sha256 };
}
