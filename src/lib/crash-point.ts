declare const AETHER_TEST_BUILD: boolean | undefined;

/** True in `dist/aether-test` only, which kills itself where it is told; in the released binary that code is not there. */
export const isTestBuild = typeof AETHER_TEST_BUILD === "boolean" && AETHER_TEST_BUILD;

let armed: string | undefined;

/** Names the point at which this process shall die. */
export function armCrashPoint(name: string | undefined): void {
  if (isTestBuild) armed = name;
}

/** Ends the process there and then, as `kill -9` does, when a test asked for this point. */
export function crashPoint(name: string): void {
  if (isTestBuild && name === armed) process.kill(process.pid, "SIGKILL");
}
