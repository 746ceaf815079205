import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { manifestPath, metadataFolder } from "../../core/artifact-layout.ts";
import type { Digest } from "../../core/digest.ts";
import { AetherError, asDiskError } from "../../lib/errors.ts";
import { createEntryTree, type TreeNode } from "./entry-tree.ts";
import { gunzipMembers } from "./gunzip-members.ts";
import { createManifestCheck, unpackedPath } from "./manifest-check.ts";
import { refusal } from "./refusal.ts";
import { createTarReader, type TarEntry, type TarVisitor } from "./tar-reader.ts";
import { defaultUnpackLimits, type UnpackLimits } from "./unpack-limits.ts";

/** Where entries go, in the order of the archive. Links are only known to be harmless at the end. */
export interface ArtifactSink {
  folder(path: string): void;
  file(path: string, entry: { size: number; executable: boolean }): void;
  data(bytes: Buffer): void;
  fileEnd(): void;
}

export interface ReadOptions {
  /** The whole file is hashed before the first entry is read. */
  digest: Digest;
  sink?: ArtifactSink;
  foldsCase?: boolean;
  limits?: Partial<UnpackLimits>;
  signal?: AbortSignal | undefined;
}

/** What a harmless artifact holds. */
export interface ArtifactContents {
  files: number;
  /** Of all files together. */
  bytes: number;
  nodes(): Iterable<TreeNode>;
  /** SHA-256 of `.aether/manifest.json`, when there is one: then every file was compared with it. */
  manifestSha256: string | undefined;
}

/** Reads an artifact from end to end, handing it to `sink`, and refuses it unless every rule holds. Without a sink it only checks. */
export async function readArtifact(path: string, options: ReadOptions): Promise<ArtifactContents> {
  const limits = { ...defaultUnpackLimits, ...options.limits };
  const deadline = createDeadline(limits.ms, options.signal);
  const file = await openArchive(path);
  try {
    await checkDigest(file, options.digest, deadline);
    const again = createHash("sha256");
    const reader = createContentsReader(options, limits);
    for await (const piece of gunzipMembers(chunksOf(file, deadline, again), limits)) {
      deadline();
      reader.write(piece);
    }
    if (again.digest("hex") !== options.digest) throw mismatch("the file changed while it was read");
    return reader.close();
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file, streamed. */
export async function hashFile(path: string, signal?: AbortSignal): Promise<Digest> {
  const file = await openArchive(path);
  try {
    return await hashOf(file, createDeadline(Number.POSITIVE_INFINITY, signal));
  } finally {
    await file.close();
  }
}

async function openArchive(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw asDiskError(error, "read", path);
  }
}

async function checkDigest(file: FileHandle, digest: Digest, deadline: () => void): Promise<void> {
  const actual = await hashOf(file, deadline);
  if (actual !== digest) throw mismatch(`expected ${digest}, got ${actual}`);
}

async function hashOf(file: FileHandle, deadline: () => void): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const _ of chunksOf(file, deadline, hash)) {
    // the hash is all that is wanted
  }
  return hash.digest("hex");
}

const mismatch = (why: string) =>
  new AetherError("digest_mismatch", `The artifact's bytes are not those of its digest: ${why}.`, {
    hint: "Fetch or upload it again; if that does not help, pack and deploy it anew.",
  });

const readBytes = 256 * 1024;

/** The file from its start. Each chunk has its own memory, since zlib keeps it while the next one is read. */
async function* chunksOf(file: FileHandle, deadline: () => void, hash: Hash): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    deadline();
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(readBytes), 0, readBytes, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    yield chunk;
  }
}

function createDeadline(ms: number, signal: AbortSignal | undefined): () => void {
  const end = performance.now() + ms;
  return () => {
    signal?.throwIfAborted();
    if (performance.now() > end) throw refusal("limit_time", `unpacking it takes longer than ${ms} ms`);
  };
}

/** Joins the tar decoder with the rules on the whole tree, and hashes each file while it passes. */
function createContentsReader({ sink, foldsCase = false }: ReadOptions, limits: UnpackLimits) {
  const tree = createEntryTree({ foldsCase, limits });
  const totals = { files: 0, bytes: 0 };
  const manifest = createManifestCheck(tree);
  let current: { node: TreeNode; hash: Hash } | undefined;

  const visitor: TarVisitor = {
    entry(entry) {
      current = undefined;
      if (entry.path === "") return;
      checkReserved(entry);
      const { node, folders } = tree.add(entry);
      for (const folder of folders) sink?.folder(folder);
      if (entry.kind === "folder") return;
      totals.files += 1;
      totals.bytes += entry.size;
      if (entry.kind === "link") node.sha256 = createHash("sha256").update(entry.target).digest("hex");
      else startFile(node, entry);
    },
    data(bytes) {
      current?.hash.update(bytes);
      sink?.data(bytes);
      if (current?.node.path === manifestPath) manifest.write(bytes);
    },
    end() {
      if (current === undefined) return;
      current.node.sha256 = current.hash.digest("hex");
      sink?.fileEnd();
      if (current.node.path === manifestPath) manifest.close();
    },
  };

  function startFile(node: TreeNode, entry: { size: number; executable: boolean }): void {
    current = { node, hash: createHash("sha256") };
    sink?.file(node.path, entry);
  }

  const tar = createTarReader(visitor);

  function close(): ArtifactContents {
    tar.close();
    tree.checkLinks();
    const manifestSha256 = tree.find(manifestPath)?.sha256;
    if (manifestSha256 !== undefined) manifest.checkAllListed();
    return { ...totals, nodes: tree.nodes, manifestSha256 };
  }

  return { write: tar.write, close };
}

/** Metadata is files in one folder, under the exact name: no link may stand in for it. */
function checkReserved(entry: TarEntry): void {
  const path = entry.path.toLowerCase();
  const isMetadata = path === metadataFolder || path.startsWith(`${metadataFolder}/`);
  const isOdd = entry.kind === "link" || (path === metadataFolder && entry.kind === "file");
  if (path === unpackedPath || (isMetadata && isOdd)) {
    throw refusal("path_reserved", `only aether writes it in ${metadataFolder}/`, { entry: entry.path });
  }
}
