import { expect, test } from "bun:test";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pruneArtifacts } from "../../../src/cli/deploy/artifact-cache.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const hourMs = 3_600_000;
const nameOf = (index: number): string => `app-${index.toString(16).padStart(64, "0")}`;

test("the ten newest artifacts stay, and whatever is younger than an hour", async () => {
  await using folder = await temporaryFolder();
  const now = new Date("2026-01-02T00:00:00Z");
  for (let index = 0; index < 14; index += 1) {
    const packed = new Date(now.getTime() - (index === 11 ? 0.5 : index + 2) * hourMs);
    for (const ending of [".tar.gz", ".manifest.json"]) {
      await writeFile(join(folder.path, `${nameOf(index)}${ending}`), "");
      await utimes(join(folder.path, `${nameOf(index)}${ending}`), packed, packed);
    }
  }
  await writeFile(join(folder.path, "a-file-of-yours.tar.gz"), "");
  await pruneArtifacts(folder.path, now);
  const kept = (await readdir(folder.path)).sort();
  const expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11].flatMap((index) => [
    `${nameOf(index)}.manifest.json`,
    `${nameOf(index)}.tar.gz`,
  ]);
  expect(kept).toEqual(["a-file-of-yours.tar.gz", ...expected].sort());
});
