/** What one artifact may cost; whatever goes beyond is refused before it is written. */
export interface UnpackLimits {
  /** Bytes of the tar stream, headers included. */
  bytes: number;
  /** Files, folders (also those that only follow from a path) and links. */
  entries: number;
  /** All paths and link targets together, because they are held in memory until the end. */
  nameBytes: number;
  /** Concatenated gzip members. */
  members: number;
  /** Tar bytes for each compressed byte, counted beyond `ratioFreeBytes`. */
  ratio: number;
  ratioFreeBytes: number;
  /** Wall time from opening the file to the last check. */
  ms: number;
}

const MiB = 1024 * 1024;

/** Generous for a Node application, and small enough that no input takes more than 256 MB of memory. */
export const defaultUnpackLimits: UnpackLimits = {
  bytes: 8 * 1024 * MiB,
  entries: 150_000,
  nameBytes: 32 * MiB,
  members: 32_768,
  ratio: 100,
  ratioFreeBytes: 64 * MiB,
  ms: 10 * 60_000,
};

/** Longest path inside an artifact, in UTF-8 bytes: leaves room for the folder it is unpacked in below PATH_MAX. */
export const maxPathBytes = 2048;
/** Longest part of a path between slashes: the limit of every common file system. */
export const maxNameBytes = 255;
/** Deepest nesting of folders. */
export const maxDepth = 128;
