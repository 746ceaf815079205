import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { unpackArtifact, verifyUnpacked } from "../artifact/unpack/unpack.ts";
import type { AgentEvent } from "../core/agent-protocol.ts";
import type { AppConfig } from "../core/app-config.ts";
import { appConfigPath } from "../core/artifact-layout.ts";
import { asDiskError, systemCode } from "../lib/errors.ts";
import { askPermission, type FetchOptions, fetchArtifact } from "./fetch-artifact.ts";

/** Where a release comes from, and the folder that shall hold it. */
export interface Preparation extends Omit<FetchOptions, "path"> {
  folder: string;
}

const usual: AppConfig = { start: "node server.js" };
const downloadPrefix = ".download-";

/** Makes `folder` hold the release, fetched, verified and unpacked, unless it does already. */
export async function prepareRelease(wanted: Preparation, emit: (event: AgentEvent) => void): Promise<void> {
  const { folder, digest, signal } = wanted;
  const begin = performance.now();
  if ((await verifyUnpacked(folder, digest)) !== undefined) {
    if (wanted.publicKeys) await askPermission(wanted);
    return emit({ event: "fetched", ms: elapsedMs(begin), bytes: 0, reused: true });
  }
  const parent = dirname(folder);
  const path = join(parent, `${downloadPrefix}${randomUUID()}`);
  try {
    await mkdir(parent, { recursive: true });
    const { bytes } = await fetchArtifact({ ...wanted, path });
    emit({ event: "fetched", ms: elapsedMs(begin), bytes, reused: false });
    const unpacking = performance.now();
    await unpackArtifact({ path, digest, targetFolder: folder, signal });
    emit({ event: "unpacked", ms: elapsedMs(unpacking) });
  } catch (error) {
    throw asDiskError(error, "write the release to", parent);
  } finally {
    await rm(path, { force: true });
  }
}

/** Removes the downloads that killed processes left in `parent`; only for who is alone there. */
export async function removeDownloads(parent: string): Promise<void> {
  const left = (await readdir(parent)).filter((name) => name.startsWith(downloadPrefix));
  for (const name of left) await rm(join(parent, name), { force: true });
}

/** How the release in `folder` starts: as `given` with the deployment, else as the artifact says, else `node server.js`. */
export async function startConfig(given: AppConfig | undefined, folder: string): Promise<AppConfig> {
  return given ?? { ...usual, ...(await ownConfig(folder)) };
}

/** What the artifact in `folder` says of itself. */
export async function ownConfig(folder: string): Promise<Partial<AppConfig>> {
  try {
    return JSON.parse(await readFile(join(folder, appConfigPath), "utf8")) as Partial<AppConfig>;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return {};
    throw error;
  }
}

const elapsedMs = (begin: number): number => Math.round(performance.now() - begin);
