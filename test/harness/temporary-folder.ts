import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of its own for a test: `await using folder = await temporaryFolder()`. */
export async function temporaryFolder() {
  const path = await realpath(await mkdtemp(join(tmpdir(), "aether-test-")));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
