import { AetherError } from "../lib/errors.ts";
import { DatabaseCrash } from "./pglite.ts";

const transient = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "55P03", // lock_not_available
  "57014", // query_canceled: our own statement_timeout
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "53300", // too_many_connections
  "25006", // read_only_sql_transaction: failed over, still connected to what became a replica
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** The SQLSTATE or connection code of a failed query, however deep drizzle and the driver wrapped it. */
export function databaseCode(error: unknown): string | undefined {
  for (let at = error; typeof at === "object" && at !== null; at = "cause" in at ? at.cause : undefined) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}

/** True when the same transaction may succeed a moment later. It may also have succeeded: repeat by key only. */
export function isTransient(error: unknown): boolean {
  const code = databaseCode(error);
  return code !== undefined && (transient.has(code) || code.startsWith("08"));
}

/** True when the database says that it undid the transaction, so that repeating it cannot do it twice. */
export function wasUndone(error: unknown): boolean {
  const code = databaseCode(error);
  return code === "40001" || code === "40P01";
}

/** True when a row with that unique value exists; `constraint` narrows it to one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  for (let at = error; typeof at === "object" && at !== null; at = "cause" in at ? at.cause : undefined) {
    if (!("code" in at) || at.code !== "23505") continue;
    // postgres.js says constraint_name, PGlite says constraint
    const name = "constraint_name" in at ? at.constraint_name : "constraint" in at ? at.constraint : undefined;
    return constraint === undefined || name === constraint;
  }
  return false;
}

/** What the database's own trouble means for a request; other errors pass through unchanged. */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof AetherError) return error;
  if (isCrash(error)) {
    return new AetherError("service_unavailable", "The embedded database has stopped, most likely for want of space.", {
      cause: error,
      hint: "Free space in the data folder and start the server again; what was confirmed is kept.",
    });
  }
  if (databaseCode(error) === "53100") {
    return new AetherError("service_unavailable", "The database's disk is full.", {
      cause: error,
      hint: "Free space there and try again; nothing was changed.",
    });
  }
  if (!isTransient(error)) return error;
  return new AetherError("service_unavailable", "The database does not answer now.", {
    cause: error,
    hint: "Try again in a moment.",
  });
}

function isCrash(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof DatabaseCrash) return true;
  return false;
}
