import { DrizzleQueryError } from "drizzle-orm/errors";
import { asDatabaseError } from "../db/failures.ts";
import { AetherError, asDiskError, isDiskFull } from "../lib/errors.ts";

/** Whatever was thrown below, as what a caller may know; the `cause` is for the log, and holds no query's parameters. */
export function toFailure(error: unknown): AetherError {
  const known = asDiskError(asDatabaseError(error), "use", "the data folder");
  if (!(known instanceof AetherError)) {
    const cause = withoutParameters(error);
    return new AetherError("internal", "The server made a mistake; its log has the story.", { cause });
  }
  if (known.code === "disk_failed") return diskTrouble(known);
  const cause = withoutParameters(known.cause);
  if (cause === known.cause) return known;
  const { code, message, hint, details } = known;
  return new AetherError(code, message, { cause, hint, details });
}

/** Clients learn what is wrong, not where the server keeps its files. */
function diskTrouble(error: AetherError): AetherError {
  const why = isDiskFull(error.cause) ? "no space is left there" : "it reports an error";
  return new AetherError("service_unavailable", `The server cannot use its disk: ${why}.`, {
    cause: error,
    hint: "Tell whoever runs the server, and try again later.",
  });
}

/** drizzle writes a query's parameters into its message, and those may hold what no log should. */
function withoutParameters(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = withoutParameters(error.cause);
  if (error instanceof DrizzleQueryError) return new Error(`a query failed: ${error.query}`, { cause });
  if (cause === error.cause) return error;
  const copy = new Error(error.message, { cause });
  copy.name = error.name;
  copy.stack = error.stack ?? error.message;
  return copy;
}
