import { parseEntryPath, parseLinkTarget } from "./entry-path.ts";
import { refusal } from "./refusal.ts";
import { type Extensions, maxExtensionBytes, parseGnuLongName, parsePax } from "./tar-extensions.ts";
import { blockBytes, parseTarHeader, type TarHeader } from "./tar-header.ts";

/** One member of an archive; nothing else exists for us. */
export type TarEntry =
  | { kind: "file"; path: string; size: number; executable: boolean }
  | { kind: "folder"; path: string; size: 0 }
  | { kind: "link"; path: string; size: 0; target: string };

/** Told synchronously, in the order of the archive: `entry`, for files `data` as often as it takes, then `end`. */
export interface TarVisitor {
  entry(entry: TarEntry): void;
  data(bytes: Buffer): void;
  end(): void;
}

export interface TarReader {
  write(chunk: Buffer): void;
  /** Call once after the last byte. */
  close(): void;
}

/**
 * A strict tar decoder. It accepts regular files, folders, symbolic links, PAX headers of a few keys and GNU long names
 * (what GNU tar, bsdtar and node-tar make of a Node project) and refuses everything that two readers could read differently.
 */
export function createTarReader(visitor: TarVisitor): TarReader {
  const block = Buffer.alloc(blockBytes);
  let filled = 0;
  let body: { left: number; take(bytes: Buffer): void; done(): void } | undefined;
  let padding = 0;
  let pending: Extensions = {};
  let zeroBlocks = 0;

  function write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (body !== undefined) at += readBody(body, chunk.subarray(at));
      else if (padding > 0) at += skipPadding(chunk.length - at);
      else at += readBlock(chunk.subarray(at));
    }
  }

  function readBody(current: NonNullable<typeof body>, rest: Buffer): number {
    const piece = rest.subarray(0, current.left);
    current.take(piece);
    current.left -= piece.length;
    if (current.left === 0) {
      body = undefined;
      current.done();
    }
    return piece.length;
  }

  function skipPadding(available: number): number {
    const skipped = Math.min(padding, available);
    padding -= skipped;
    return skipped;
  }

  function readBlock(rest: Buffer): number {
    if (filled === 0 && rest.length >= blockBytes) {
      handleBlock(rest.subarray(0, blockBytes));
      return blockBytes;
    }
    const copied = rest.copy(block, filled);
    filled += copied;
    if (filled === blockBytes) {
      filled = 0;
      handleBlock(block);
    }
    return copied;
  }

  function handleBlock(current: Buffer): void {
    const isZero = current[0] === 0 && current.every((byte) => byte === 0);
    if (isZero) {
      zeroBlocks += 1;
      return;
    }
    if (zeroBlocks > 0) throw refusal("tar_after_end", "bytes follow its end mark");
    handleHeader(parseTarHeader(current));
  }

  function handleHeader(header: TarHeader): void {
    if (header.type === "x" || header.type === "L" || header.type === "K") {
      startExtension(header);
      return;
    }
    const extensions = pending;
    pending = {};
    const entry = toEntry(header, extensions);
    visitor.entry(entry);
    if (entry.size === 0) visitor.end();
    else startBody(entry.size, visitor.data, visitor.end);
  }

  function startExtension(header: TarHeader): void {
    checkOrder(header, pending);
    if (header.size > maxExtensionBytes || header.size === 0) {
      throw refusal("extension_too_large", "an extended header is empty or larger than 64 KiB");
    }
    const parts: Buffer[] = [];
    startBody(
      header.size,
      (bytes) => parts.push(Buffer.from(bytes)),
      () => {
        const content = Buffer.concat(parts);
        if (header.type === "x") pending = parsePax(content);
        else
          pending = { ...pending, source: "gnu", [header.type === "L" ? "path" : "link"]: parseGnuLongName(content) };
      },
    );
  }

  function startBody(size: number, take: (bytes: Buffer) => void, done: () => void): void {
    body = { left: size, take, done };
    padding = (blockBytes - (size % blockBytes)) % blockBytes;
  }

  function close(): void {
    if (body !== undefined || padding > 0 || filled > 0)
      throw refusal("tar_truncated", "it ends in the middle of an entry");
    if (zeroBlocks < 2) throw refusal("tar_no_end", "its end mark is missing: it was cut off");
    if (pending.source !== undefined) throw refusal("extension_order", "an extended header has no entry");
  }

  return { write, close };
}

/** One PAX header or at most one `L` and one `K` for each entry, never both kinds. */
function checkOrder({ type, link }: TarHeader, pending: Extensions): void {
  if (link.length > 0) throw refusal("link_target", "an extended header names a target but is no link");
  const repeated = type === "L" ? pending.path : type === "K" ? pending.link : pending.source;
  if (repeated !== undefined || pending.source === "pax") {
    throw refusal("extension_order", "several extended headers speak about one entry");
  }
}

function toEntry(header: TarHeader, extensions: Extensions): TarEntry {
  const isFolder = header.type === "5";
  const path = parseEntryPath(extensions.path ?? header.path, isFolder);
  if (extensions.size !== undefined && extensions.size !== header.size) {
    throw refusal("pax_size_mismatch", "its two headers name different sizes", { entry: path });
  }
  if (header.type !== "2" && header.type !== "1" && (extensions.link ?? header.link).length > 0) {
    throw refusal("link_target", "it names a target but is no link", { entry: path });
  }
  if (header.type === "0") return { kind: "file", path, size: header.size, executable: (header.mode & 0o111) !== 0 };
  checkSupported(header, path);
  if (header.size !== 0) throw refusal("entry_size", "a folder or link carries bytes", { entry: path });
  if (isFolder) return { kind: "folder", path, size: 0 };
  return { kind: "link", path, size: 0, target: parseLinkTarget(extensions.link ?? header.link, path) };
}

const unsupported: Record<string, string> = {
  "3": "a character device",
  "4": "a block device",
  "6": "a named pipe",
  "7": "a contiguous file",
  g: "a global PAX header",
  D: "a GNU incremental folder",
  M: "a GNU volume continuation",
  S: "a sparse file",
  V: "a GNU volume label",
};

function checkSupported({ type }: TarHeader, path: string): void {
  if (type === "5" || type === "2") return;
  if (type === "1") {
    throw refusal("hard_link", "it is a hard link", {
      entry: path,
      hint: "Pack it again with `aether deploy`, or with `tar czf app.tar.gz --hard-dereference -C <folder> .`.",
    });
  }
  throw refusal("entry_type", `it is ${unsupported[type] ?? "of an unknown type"}, not a file, folder or link`, {
    entry: path,
  });
}
