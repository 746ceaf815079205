import { closeSync, constants, openSync, readSync } from "node:fs";
import { failureReasons } from "../../core/deployment.ts";
import { isDigest } from "../../core/digest.ts";
import type { HotOutcome, HotStatus } from "./wish.ts";

/** Of twenty lines, each character an escape. */
const maxBytes = 512 * 1024;

/**
 * What the supervisor says, or undefined: nothing yet, or nothing that makes sense. The application could have written it:
 * no link is followed, no more is read than a supervisor writes, and no field is taken for what it should be.
 */
export function readStatus(path: string): HotStatus | undefined {
  const value = readObject(path);
  if (value === undefined) return undefined;
  const { outcome, serving, busy, draining } = value;
  return {
    outcome: toOutcome(outcome),
    serving: isDigest(serving) ? serving : undefined,
    draining: typeof draining === "number" ? draining : 0,
    busy: Array.isArray(busy) ? busy.filter((folder) => typeof folder === "string") : [],
  };
}

function toOutcome(value: unknown): HotOutcome | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { seq, digest, ok, ms, reason, message, log } = value as Record<string, unknown>;
  if (typeof seq !== "number" || !isDigest(digest) || typeof ok !== "boolean") return undefined;
  return {
    seq,
    digest,
    ok,
    ms: typeof ms === "number" ? ms : 0,
    reason: failureReasons.find((known) => known === reason),
    message: typeof message === "string" ? message : undefined,
    log: Array.isArray(log) ? log.filter((line) => typeof line === "string") : [],
  };
}

function readObject(path: string): Record<string, unknown> | undefined {
  try {
    // Not blocking: it could be a pipe.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(maxBytes);
      const value: unknown = JSON.parse(bytes.toString("utf8", 0, readSync(file, bytes)));
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined; // not there, half of it, or not what we wrote
  }
}
