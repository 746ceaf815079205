import { mkdir, rename, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { metadataFolder } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { formatBytes } from "../../lib/bytes.ts";
import { AetherError, asDiskError, isDiskFull, systemCode } from "../../lib/errors.ts";
import { readArtifact } from "./read-artifact.ts";
import { createStaging, foldsCase, removeAbandoned, removeStaging, stagingPath } from "./staging.ts";
import type { UnpackLimits } from "./unpack-limits.ts";
import { bootId, verifyUnpacked, writeMarker } from "./verify-unpacked.ts";
import { createTreeWriter } from "./write-tree.ts";

export { hashFile, readArtifact } from "./read-artifact.ts";
export { removeAbandoned, stagingPath } from "./staging.ts";
export { verifyUnpacked } from "./verify-unpacked.ts";

export interface UnpackRequest {
  /** The archive on disk. */
  path: string;
  digest: Digest;
  /** Absent, or unpacked before, or anything else, which is then replaced. Its parent must be on the same file system. */
  targetFolder: string;
  limits?: Partial<UnpackLimits>;
  signal?: AbortSignal;
}

export interface Unpacked {
  files: number;
  bytes: number;
  /** The folder held this digest already, and nothing was written. */
  reused: boolean;
}

/**
 * Makes `targetFolder` hold exactly the artifact, or throws and leaves no trace. Everything happens in a staging folder
 * beside it; one rename makes the release visible, so a killed process never leaves half of one.
 */
export async function unpackArtifact(request: UnpackRequest): Promise<Unpacked> {
  const target = resolve(request.targetFolder);
  try {
    const present = await verifyUnpacked(target, request.digest);
    if (present !== undefined) return { files: present.files, bytes: present.bytes, reused: true };
    await mkdir(dirname(target), { recursive: true });
    await removeAbandoned(dirname(target));
    return await unpackBeside(target, request);
  } catch (error) {
    throw isDiskFull(error) ? await outOfSpace(error, target, request) : asDiskError(error, "unpack into", target);
  }
}

async function unpackBeside(target: string, request: UnpackRequest): Promise<Unpacked> {
  const staging = await createStaging(dirname(target));
  try {
    const contents = await extract(staging, request);
    await replace(target, staging, request.digest);
    return { ...contents, reused: false };
  } finally {
    await removeStaging(staging); // nothing is there any more when the rename has happened
  }
}

async function extract(staging: string, request: UnpackRequest): Promise<{ files: number; bytes: number }> {
  const { path, digest, limits = {}, signal } = request;
  const writer = createTreeWriter(staging);
  try {
    const contents = await readArtifact(path, { digest, limits, signal, sink: writer, foldsCase: foldsCase(staging) });
    writer.links(contents.nodes());
    const { files, bytes, manifestSha256 } = contents;
    await mkdir(join(staging, metadataFolder), { recursive: true });
    await writeMarker(staging, { digest, files, bytes, manifest_sha256: manifestSha256, boot: bootId() });
    return { files, bytes };
  } finally {
    writer.abandon();
  }
}

/** Puts the staging folder in the target's place, unless another process was faster with the same artifact. */
async function replace(target: string, staging: string, digest: Digest): Promise<void> {
  if (await renamed(staging, target)) return;
  if ((await verifyUnpacked(target, digest)) !== undefined) return;
  const old = stagingPath(dirname(target));
  await rename(target, old);
  await rename(staging, target);
  await removeStaging(old);
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(systemCode(error) ?? "")) return false;
    throw error;
  }
}

/** Reads the artifact once more, without writing, to say how much it needs. */
async function outOfSpace(error: unknown, target: string, request: UnpackRequest): Promise<AetherError> {
  const { path, digest, limits = {}, signal } = request;
  const { files, bytes } = await readArtifact(path, { digest, limits, signal });
  const { bavail, bsize } = await statfs(dirname(target));
  const free = bavail * bsize;
  return new AetherError(
    "disk_failed",
    `Cannot unpack into ${target}: no space is left. The artifact needs ${formatBytes(bytes)} for ${files} files; ${formatBytes(free)} are free.`,
    {
      cause: error,
      hint: "Free some space there, or give it more, and run the command again.",
      details: { path: target, needed_bytes: bytes, needed_files: files, free_bytes: free },
    },
  );
}
