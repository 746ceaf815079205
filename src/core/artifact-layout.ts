/** Reserved folder inside an artifact, always last; an application's own `.aether/` is refused by the packer. */
export const metadataFolder = ".aether";
/** JSON `Manifest`: every other file of the artifact with its SHA-256. */
export const manifestPath = ".aether/manifest.json";
/** JSON `AppConfig`. */
export const appConfigPath = ".aether/app.json";
/** JSON table of contents: a hint about gzip members, never an authority. The very last entry. */
export const tocPath = ".aether/toc.json";

/** `files` sorted by path bytes; links are listed with the SHA-256 of their target text. */
export interface Manifest {
  files: { path: string; sha256: string }[];
}

/** Where members begin and end: byte offsets and lengths in the compressed file and in the tar stream. */
export interface TableOfContents {
  version: 1;
  members: { offset: number; length: number; tar_offset: number; tar_length: number; sha256: string }[];
}

/** The file name of an artifact on a disk. */
export const artifactFileName = (digest: string): string => `app-${digest}.tar.gz`;
