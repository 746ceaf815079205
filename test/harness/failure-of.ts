import { AetherError } from "../../src/lib/errors.ts";

/** The AetherError that `work` ends with; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<AetherError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AetherError) return error;
  throw error instanceof Error ? error : new Error("Expected an AetherError, but nothing was thrown.");
}
