import { DrizzleQueryError } from "drizzle-orm/errors";
import { asDatabaseError } from "../db/failures.ts";
import { AetherError, asDiskError } from "../lib/errors.ts";

/** Whatever was thrown below, as what a caller may know; the `cause` of an `internal` is for the log. */
export function toFailure(error: unknown): AetherError {
  const known = asDiskError(asDatabaseError(error), "use", "the data folder");
  if (known instanceof AetherError) return known;
  const cause = withoutParameters(error);
  return new AetherError("internal", "The server made a mistake; its log has the story.", { cause });
}

/** drizzle writes a query's parameters into its message, and those may hold what no log should. */
function withoutParameters(error: unknown): unknown {
  if (!(error instanceof DrizzleQueryError)) return error;
  return new Error(`a query failed: ${error.query}`, { cause: error.cause });
}
