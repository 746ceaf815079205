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
  return Buffer.concat([tarFile(appConfigPath, configText), tarFile(manifestPath, `${JSON.stringify(manifest)}\n`)]);
}

/** Tar bytes of the table of contents, which lists all members but the one it stands in, and of the archive's end. */
export function endTar(members: TableOfContents["members"]): Uint8Array {
  const toc: TableOfContents = { version: 1, members };
  return Buffer.concat([tarFile(tocPath, `${JSON.stringify(toc)}\n`), endOfArchive]);
}

function tarFile(path: string, text: string): Uint8Array {
  const body = Buffer.from(text);
  const header = tarHeader({ kind: "file", path, size: body.length, executable: false, target: "" });
  return Buffer.concat([header, body], header.length + paddedBytes(body.length));
}
