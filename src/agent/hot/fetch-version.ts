import type { AppConfig } from "../../core/app-config.ts";
import type { Digest } from "../../core/digest.ts";
import type { HotFetch } from "../../core/pod-hot.ts";
import { asDiskError, messageOf, systemCode } from "../../lib/errors.ts";
import { AgentFailure } from "../failure.ts";
import { NotNow } from "../fetch-artifact.ts";
import { report } from "../fetch-in-pod.ts";
import { clearAway } from "../fill-workspace.ts";
import { say, tokenOptions } from "../pod-words.ts";
import { ownConfig, prepareRelease, startConfig } from "../prepare-release.ts";
import type { WantedVersion } from "./wish.ts";

/** The longest, with jitter, is less than ten seconds: so soon after it is back a server is asked. */
const retryMs = [200, 500, 1_000, 2_000, 4_000, 6_000];

export interface VersionFetch {
  wanted: HotFetch;
  digest: Digest;
  folder: string;
  /** Nothing serves yet: there is nothing to do but to try. */
  isFirst: boolean;
  signal: AbortSignal;
}

/**
 * Makes `folder` hold the version, verified. Here is where what is unchanged may be spared one day: a pod that holds the
 * artifact before has its stable prefix, and its dependencies lie in another slot.
 */
export async function fetchVersion({ wanted, digest, folder, isFirst, signal }: VersionFetch): Promise<WantedVersion> {
  const { workspace, storageOrigins, publicKeys } = wanted;
  const patience = createPatience(isFirst ? Number.POSITIVE_INFINITY : wanted.fetchMaxRetries, signal);
  try {
    await clearAway(workspace, { folder, digest });
    const keys = publicKeys && { publicKeys };
    const from = { downloadUrl: wanted.downloadUrl.replace(wanted.digest, digest), storageOrigins, ...keys };
    const tries = { retryMs, forever: true, onRetry: patience.onRetry, signal: patience.signal };
    await prepareRelease({ folder, digest, ...from, ...tokenOptions(wanted), ...tries }, report);
  } catch (error) {
    if (patience.verdict && !signal.aborted) throw patience.verdict;
    throw asDiskError(error, "write the release to", workspace);
  }
  return await toWanted({ wanted, digest, folder });
}

/** Ends what goes on for ever after so many failed answers. A server that cannot be reached at all is waited for. */
function createPatience(retries: number, outer: AbortSignal) {
  const over = new AbortController();
  outer.addEventListener("abort", () => over.abort(), { once: true });
  let failures = 0;
  const patience = {
    signal: over.signal,
    verdict: undefined as AgentFailure | undefined,
    onRetry(error: unknown, pauseMs: number): void {
      if (!isAway(error)) failures += 1;
      say(`waiting ${(pauseMs / 1_000).toFixed(1)} s: ${messageOf(error)}`);
      if (failures <= retries) return;
      const why = `The artifact cannot be downloaded, tried ${failures} times: ${messageOf(error)}.`;
      patience.verdict = new AgentFailure("server_unreachable", why, { cause: error });
      over.abort();
    },
  };
  return patience;
}

function isAway(error: unknown): boolean {
  if (error instanceof NotNow) return [429, 502, 503, 504].includes(error.status);
  const away = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"];
  return away.includes(systemCode(error) ?? "");
}

/** The deployment's own start and health path hold for the artifact they came with; another one says its own. */
async function toWanted({
  wanted,
  digest,
  folder,
}: Pick<VersionFetch, "wanted" | "digest" | "folder">): Promise<WantedVersion> {
  const { start, healthPath } = wanted;
  const given: Partial<AppConfig> = { ...(start && { start }), ...(healthPath && { health: { path: healthPath } }) };
  const said = await ownConfig(folder);
  const own = digest === wanted.digest ? { ...said, ...given } : { ...given, ...said };
  const config = await startConfig(own.start === undefined ? undefined : { ...own, start: own.start }, folder);
  return {
    digest,
    folder,
    start: config.start,
    healthPath: config.health?.path,
    startTimeoutMs: wanted.startTimeoutSec * 1_000,
    drainMs: wanted.drainSec * 1_000,
    graceMs: wanted.graceSec * 1_000,
  };
}
