import type { AppConfig } from "../../core/app-config.ts";
import {
  appConfigPath,
  type Manifest,
  manifestPath,
  type TableOfContents,
  tocPath,
} from "../../core/artifact-layout.ts";
import { sha256 } from "./member.ts";
import { endOfArchive, paddedBytes, tarHeader } from "./tar-writer.ts";

/** The configuration as it stands in the artifact: the same text for the same values. */
export function appConfigText({ start, port, node, health }: AppConfig): string {
  return `${JSON.stringify({ start, port, node, health })}\n`;
}

/** The manifest of `files`, which are sorted by path bytes, and of the configuration. */
export function createManifest(files: Manifest["files"], configText: string): Manifest {
  const config = { path: appConfigPath, sha256: sha256(configText) };
  const after = files.findIndex(({ path }) => Buffer.compare(Buffer.from(path), Buffer.from(appConfigPath)) > 0);
  const at = after === -1 ? files.length : after;
  return { files: [...files.slice(0, at), config, ...files.slice(at)] };
}

/** Tar bytes of the configuration and the manifest. */
export function metadataTar(configText: string, manifest: Manifest): Uint8Array {
  return tarOf([
    { path: appConfigPath, text: configText },
    { path: manifestPath, text: `${JSON.stringify(manifest)}\n` },
  ]);
}

/** Tar bytes of the table of contents, which lists all members but the one it stands in, and of the archive's end. */
export function endTar(members: TableOfContents["members"]): Uint8Array {
  const toc: TableOfContents = { version: 1, members };
  return Buffer.concat([tarOf([{ path: tocPath, text: `${JSON.stringify(toc)}\n` }]), endOfArchive]);
}

/** Written into one buffer: a manifest takes megabytes, and is copied once. */
function tarOf(texts: { path: string; text: string }[]): Uint8Array {
  const files = texts.map(({ path, text }) => {
    const size = Buffer.byteLength(text);
    return { text, size, header: tarHeader({ kind: "file", path, size, executable: false, target: "" }) };
  });
  const tar = Buffer.alloc(files.reduce((sum, { header, size }) => sum + header.length + paddedBytes(size), 0));
  let at = 0;
  for (const { header, text, size } of files) {
    tar.set(header, at);
    tar.write(text, at + header.length);
    at += header.length + paddedBytes(size);
  }
  return tar;
}
