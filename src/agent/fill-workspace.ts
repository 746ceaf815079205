import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeAbandoned, stagingPath, verifyUnpacked } from "../artifact/unpack/unpack.ts";
import type { AgentEvent } from "../core/agent-protocol.ts";
import { type PodFetch, workspaceNames } from "../core/pod-agent.ts";
import { asDiskError, systemCode } from "../lib/errors.ts";
import type { RetryOptions } from "./fetch-artifact.ts";
import { prepareRelease, removeDownloads, startConfig } from "./prepare-release.ts";
import { runScript } from "./run-script.ts";

/** How the server is asked, beside what the pod says. */
export interface WorkspaceOptions extends RetryOptions {
  authorization?: () => Promise<string>;
  signal: AbortSignal;
}

/**
 * Makes the workspace hold the release and how it is started, and nothing else of ours. It may be empty, or filled by a
 * run before this one, which ended well or was killed anywhere.
 */
export async function fillWorkspace(
  wanted: PodFetch,
  options: WorkspaceOptions,
  emit: (event: AgentEvent) => void,
): Promise<void> {
  const { workspace, digest, downloadUrl, storageOrigins, publicKeys, start } = wanted;
  const folder = join(workspace, workspaceNames.app);
  try {
    await mkdir(workspace, { recursive: true });
    await clearAway(workspace, { folder, digest });
    const keys = publicKeys && { publicKeys };
    await prepareRelease({ folder, digest, downloadUrl, storageOrigins, ...keys, ...options }, emit);
    const config = await startConfig(start === undefined ? undefined : { start }, folder);
    await writeWhole(join(workspace, workspaceNames.start), config.start);
    await writeWhole(join(workspace, workspaceNames.run), runScript(workspace));
  } catch (error) {
    throw asDiskError(error, "write the release to", workspace);
  }
}

/** Removes what killed runs left, and from `folder` a release that is another one or that its application has changed. */
export async function clearAway(
  workspace: string,
  { folder, digest }: { folder: string; digest: string },
): Promise<void> {
  await removeDownloads(workspace);
  const isWhole = (await verifyUnpacked(folder, digest, { thorough: true })) !== undefined;
  if (!isWhole) await setAside(folder, workspace);
  await removeAbandoned(workspace);
}

/** By one rename: killed while it is removed, the rest of it must not look like a release. */
async function setAside(folder: string, workspace: string): Promise<void> {
  try {
    await rename(folder, stagingPath(workspace));
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
