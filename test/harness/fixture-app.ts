import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

const fixtures = join(import.meta.dir, "..", "fixtures", "apps");

/** A copy of `test/fixtures/apps/<kind>` that a test may build in and change. */
export async function fixtureApp(kind: string) {
  const folder = await temporaryFolder();
  await cp(join(fixtures, kind), folder.path, { recursive: true });
  return folder;
}

/** A folder for PATH in which only these programs are found: the machine's, or one that does nothing. */
export async function pathWith(...programs: string[]) {
  const folder = await temporaryFolder();
  for (const program of programs) await symlink(Bun.which(program) ?? "/bin/true", join(folder.path, program));
  return folder;
}
