import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import type { FailureReason } from "../../core/deployment.ts";
import type { Digest } from "../../core/digest.ts";
import { systemCode } from "../../lib/errors.ts";

/** A version as the fetcher wants it run; it lies there whole and verified. */
export interface WantedVersion {
  digest: Digest;
  /** Absolute: its slot. */
  folder: string;
  /** Shell command. */
  start: string;
  healthPath?: string | undefined;
  startTimeoutMs: number;
  /** Requests under way, uploads and WebSockets of the version before have so long to end. */
  drainMs: number;
  /** SIGTERM, then SIGKILL after this. */
  graceMs: number;
}

/**
 * What the fetcher tells the supervisor: the whole of it in one file, so that either may be started again at any time. It
 * lies in a volume that the application's container can only read.
 */
export interface Wish {
  /** Rises with each `next`. */
  seq: number;
  /** To be tried; gone when its outcome is known. */
  next?: WantedVersion | undefined;
  /** The last one that worked: what a supervisor that is started anew runs. */
  current?: WantedVersion | undefined;
  /** The one before `current`, to go back to. */
  previous?: WantedVersion | undefined;
  /** The fetcher's own note: left alone until another one is wanted. */
  failed?: Digest | undefined;
}

/**
 * What the supervisor says. The application shares its container and user, and may write this file as well: a lie, about
 * its own replica only. Whoever reads it believes no path and no number in it.
 */
export interface HotStatus {
  /** Of the last `next` that was tried. */
  outcome?: HotOutcome | undefined;
  /** The digest that gets new connections. */
  serving?: Digest | undefined;
  /** Folders in use by a version that serves, starts or drains, or that there may be a need to go back to. */
  busy: string[];
  /** How many versions are being replaced and still have something to do. */
  draining: number;
}

/** What became of `next`. */
export interface HotOutcome {
  seq: number;
  digest: Digest;
  ok: boolean;
  /** From the wish to the first answer, or to the verdict. */
  ms: number;
  reason?: FailureReason | undefined;
  message?: string | undefined;
  /** The last lines of a version that did not come up. */
  log?: string[] | undefined;
}

/** By one rename: nobody reads half of it. */
export async function writeJson(path: string, value: Wish | HotStatus): Promise<void> {
  await writeFile(`${path}.part`, JSON.stringify(value));
  await rename(`${path}.part`, path);
}

/** The wish at `path`, or undefined when there is none yet. */
export function readWish(path: string): Wish | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Wish; // only the fetcher can have written it
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
