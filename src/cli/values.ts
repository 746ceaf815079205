import { appNameProblem } from "../core/app-name.ts";
import { publicKeyProblem } from "../core/signature.ts";
import { parseBytes } from "../lib/bytes.ts";
import { durationSecs } from "../lib/durations.ts";
import { AetherError } from "../lib/errors.ts";
import { badValue } from "./usage.ts";

interface Bounds {
  min: number;
  max: number;
}

/** A whole number that a flag was given. */
export function givenNumber(flag: string, given: string, bounds: Bounds & { example: number | string }): number {
  const value = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw badValue({
    of: flag,
    given,
    why: `it takes a whole number from ${bounds.min} to ${bounds.max}`,
    hint: exampleOf(flag, bounds.example),
  });
}

/** A size that a flag was given: bytes, or a number with a unit. */
export function givenBytes(flag: string, given: string): number {
  const bytes = parseBytes(given);
  if (bytes !== undefined) return bytes;
  throw badValue({
    of: flag,
    given,
    why: "it takes a size in bytes, or in KB, MB, GB, KiB, MiB or GiB",
    hint: exampleOf(flag, "10GB"),
  });
}

/** The seconds of a duration that a flag was given. */
export function givenDuration(flag: string, given: string, { min, max, example }: Bounds & { example: string }) {
  const seconds = durationSecs(given);
  if (seconds !== undefined && seconds >= min && seconds <= max) return seconds;
  const range = seconds === undefined ? "" : ` from ${inWords(min)} to ${inWords(max)}`;
  throw badValue({
    of: flag,
    given,
    why: `it takes a duration${range} in seconds, minutes, hours or days`,
    hint: exampleOf(flag, example),
  });
}

/** The name of an app; `of` says what holds it. */
export function givenAppName(of: string, given: string): string {
  const problem = appNameProblem(given);
  if (problem === undefined) return given;
  throw badValue({ of, given, why: problem, hint: "Choose a name such as shop or billing-api." });
}

/** An Ed25519 public key in hex. */
export function givenPublicKey(of: string, given: string): string {
  const problem = publicKeyProblem(given);
  if (problem === undefined) return given;
  // What was given may be the private one: it is not repeated.
  throw new AetherError("usage", `${of.startsWith("-") ? `"${of}"` : of} cannot be what was given: ${problem}.`, {
    hint: "aether keys generate makes a pair and prints the public key.",
  });
}

const exampleOf = (flag: string, example: number | string): string => `For example: ${flag} ${example}.`;

const inWords = (seconds: number): string => (seconds < 86_400 ? `${seconds}s` : `${Math.floor(seconds / 86_400)}d`);
