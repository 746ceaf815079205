import { expect, test } from "bun:test";
import { planMembers } from "../../../src/artifact/pack/member-plan.ts";
import { walkTree } from "../../../src/artifact/pack/walk.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";
import { writeTree } from "../../harness/tree.ts";

test("files of one name lie side by side, in the order of their paths", async () => {
  await using folder = await temporaryFolder();
  const paths = ["a/index.js", "a/x.js", "b/index.js", "b/index.js.map", "index.js", "c/d/x.js"];
  writeTree(folder.path, Object.fromEntries(paths.map((path) => [path, path])));
  const planned = [...planMembers(walkTree({ appFolder: folder.path }))];
  expect(planned.flatMap(({ entries }) => entries.map(({ path }) => path))).toEqual([
    "a/index.js",
    "b/index.js",
    "index.js",
    "b/index.js.map",
    "a/x.js",
    "c/d/x.js",
  ]);
});
