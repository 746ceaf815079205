import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact, verifyUnpacked } from "../artifact/unpack/unpack.ts";
import type { AgentEvent, AgentSpec } from "../core/agent-protocol.ts";
import type { AppConfig } from "../core/app-config.ts";
import { appConfigPath } from "../core/artifact-layout.ts";
import { asDiskError, systemCode } from "../lib/errors.ts";
import { askPermission, fetchArtifact } from "./fetch-artifact.ts";

/** The folder of the release, fetched, verified and unpacked unless it lies there whole. */
export async function prepareRelease(spec: AgentSpec, emit: (event: AgentEvent) => void, signal: AbortSignal) {
  const folder = join(spec.releasesFolder, spec.digest);
  const begin = performance.now();
  if ((await verifyUnpacked(folder, spec.digest)) !== undefined) {
    if (spec.publicKeys) await askPermission({ ...spec, signal });
    emit({ event: "fetched", ms: elapsedMs(begin), bytes: 0, reused: true });
    return folder;
  }
  const path = join(spec.releasesFolder, `.download-${randomUUID()}`);
  try {
    await mkdir(spec.releasesFolder, { recursive: true });
    const { bytes } = await fetchArtifact({ ...spec, path, signal });
    emit({ event: "fetched", ms: elapsedMs(begin), bytes, reused: false });
    const unpacking = performance.now();
    await unpackArtifact({ path, digest: spec.digest, targetFolder: folder, signal });
    emit({ event: "unpacked", ms: elapsedMs(unpacking) });
    return folder;
  } catch (error) {
    throw asDiskError(error, "write the release to", spec.releasesFolder);
  } finally {
    await rm(path, { force: true });
  }
}

/** How the release starts: as the deployment says, else as the artifact says, else `node server.js`. */
export async function startConfig(spec: AgentSpec, folder: string): Promise<AppConfig> {
  if (spec.config) return spec.config;
  try {
    return JSON.parse(await readFile(join(folder, appConfigPath), "utf8")) as AppConfig;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return { start: "node server.js" };
    throw error;
  }
}

const elapsedMs = (begin: number): number => Math.round(performance.now() - begin);
