// Runs the hostile archives on the runtime it is started with: argv[2] is an empty folder. Prints what was not as it must be.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackArtifact } from "../../../src/artifact/unpack/unpack.ts";
import { archive, file, folder, link, sha256 } from "../../harness/tar-archive.ts";
import { hostileArchives } from "./hostile-archives.ts";

const place = process.argv[2] ?? "";
const wrong: string[] = [];
let cases = 0;

async function ruleOf(bytes: Uint8Array, limits = {}): Promise<string> {
  cases += 1;
  const out = join(place, String(cases));
  await mkdir(out);
  const path = join(place, "a.tgz");
  await writeFile(path, bytes);
  try {
    await unpackArtifact({ path, digest: sha256(bytes), targetFolder: join(out, "r"), limits });
    return "accepted";
  } catch (error) {
    const left = await readdir(out);
    if (left.length > 0) return `left behind: ${left}`;
    const { details } = error as { details?: { rule?: string } };
    return details?.rule ?? String(error);
  }
}

for (const [what, rule, bytes, limits] of Object.values(hostileArchives).flat()) {
  const got = await ruleOf(bytes, limits);
  if (got !== rule) wrong.push(`${what}: ${got}, not ${rule}`);
}
const good = await ruleOf(archive(folder("./"), file("./a/b", "x".repeat(1_000_000)), link("./l", "a/b")));
if (good !== "accepted") wrong.push(`a good archive: ${good}`);
console.log(JSON.stringify({ node: process.version, bun: "Bun" in globalThis, cases, wrong }));
