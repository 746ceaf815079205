import { AetherError } from "../lib/errors.ts";

/** What `parse` makes of a value of the command line; where it refuses the value, the command line was wrong. */
export function parseGiven<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AetherError) || error.code !== "bad_request") throw error;
    throw new AetherError("usage", `${what}: ${error.message}`, { cause: error, hint: error.hint });
  }
}
