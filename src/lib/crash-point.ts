// Replaced by build.ts with true or false; absent when run from source.
declare const AETHER_TEST_BUILD: boolean | undefined;

/** The variables that only `dist/aether-test` knows. What stands behind AETHER_TEST_BUILD is not in a released binary. */
export const testBuildVariables: string[] =
  typeof AETHER_TEST_BUILD === "boolean" && AETHER_TEST_BUILD ? ["AETHER_CRASH_AT"] : [];

let armed: string | undefined;

/** Takes the point at which this process shall die from AETHER_CRASH_AT, in a test build. */
export function armCrashPoint(env: Record<string, string | undefined>): void {
  if (typeof AETHER_TEST_BUILD === "boolean" && AETHER_TEST_BUILD) armed = env.AETHER_CRASH_AT;
}

/** Ends the process there and then, as `kill -9` does, when a test asked for this point. */
export function crashPoint(name: string): void {
  if (typeof AETHER_TEST_BUILD !== "boolean" || !AETHER_TEST_BUILD || name !== armed) return;
  process.kill(process.pid, "SIGKILL");
}
