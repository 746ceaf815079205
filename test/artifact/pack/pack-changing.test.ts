import { expect, test } from "bun:test";
import {
  appendFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { $ } from "bun";
import { makeMember } from "../../../src/artifact/pack/member.ts";
import { packFolder } from "../../../src/artifact/pack/pack.ts";
import { words } from "../../harness/sample-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { writeTree } from "../../harness/tree.ts";

const changes: [string, (path: string) => unknown][] = [
  ["grew", (path) => appendFileSync(path, "x")],
  ["shrank", (path) => truncateSync(path, 1)],
  ["vanished", (path) => rmSync(path)],
  ["became a link", (path) => symlinkSync(`${path}.old`, renamed(path))],
  ["became a pipe", (path) => $`mkfifo ${renamed(path)}`],
];

/** Moves a file away and gives its place back. */
function renamed(path: string): string {
  renameSync(path, `${path}.old`);
  return path;
}

test.each(changes)("a file that %s after it was listed stops the pack by name", async (_, change) => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { "app/data.log": "12345" });
  const source = join(folder.path, "app/data.log");
  const entry = {
    kind: "file" as const,
    path: "data.log",
    source,
    size: statSync(source).size,
    executable: false,
    target: "",
  };
  await change(source);
  expect(() => makeMember({ entries: [entry] }, { level: 1 })).toThrow('"data.log" changed while it was packed');
});

test("a pack of a folder that is being written to gives an artifact that is right, or says what changed", async () => {
  await using folder = await temporaryFolder();
  const [app, out] = [join(folder.path, "app"), join(folder.path, "out")];
  writeTree(app, Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`${index}.js`, words(index, 1_000_000)])));
  let outcomes = 0;
  for (let round = 0; round < 5; round += 1) {
    const packing = packFolder({
      appFolder: app,
      appConfig: { start: "x" },
      outFolder: out,
      onProgress: () => writeFileSync(join(app, "7.js"), words(round, 900_000 + round)),
    });
    const outcome = await packing.catch((error) => error);
    if ("digest" in outcome) {
      const check =
        await $`mkdir -p ${round} && tar xzf ${outcome.path} -C ${round} && cd ${round} && sha256sum * | sort -k2`
          .cwd(folder.path)
          .quiet();
      const listed = outcome.manifest.files.filter(({ path }: { path: string }) => path.endsWith(".js"));
      expect(check.text().trim().split("\n")).toEqual(
        listed.map(({ path, sha256 }: { path: string; sha256: string }) => `${sha256}  ${path}`),
      );
    } else expect(outcome).toMatchObject({ code: "preflight_failed", message: '"7.js" changed while it was packed.' });
    outcomes += 1;
  }
  expect(outcomes).toBe(5);
  expect(readdirSync(out).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
});
