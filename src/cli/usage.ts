import { AetherError } from "../lib/errors.ts";

export interface BadValue {
  /** The flag with its dashes, or what a positional argument is, such as `The app`. */
  of: string;
  given: string;
  /** What would have been taken, or why this is not: the end of the sentence. */
  why: string;
  /** The command line's words that would have been right, or what else to do. */
  hint: string;
}

/** The error for a value of the command line that cannot be: which one, what was given, what is taken, an example. */
export function badValue({ of, given, why, hint }: BadValue): AetherError {
  return new AetherError("usage", `${of.startsWith("-") ? `"${of}"` : of} cannot be "${shortened(given)}": ${why}.`, {
    hint,
  });
}

/** What `parse` makes of a value of the command line; where it refuses the value, the command line was wrong. */
export function parseGiven<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AetherError) || error.code !== "bad_request") throw error;
    throw new AetherError("usage", `${what}: ${error.message}`, { cause: error, hint: error.hint });
  }
}

const longest = 100;
const shortened = (text: string): string => (text.length <= longest ? text : `${text.slice(0, longest)}…`);
