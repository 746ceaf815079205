import { expect, test } from "bun:test";
import { createBuildOutputs } from "../../../src/cli/dev/build-outputs.ts";
import { changesBetween, lookAt } from "../../../src/cli/dev/tree-changes.ts";
import { type Files, folderOf, writeFiles } from "../../harness/files.ts";

/** A folder with builds that write what they are given. */
async function createBuilt(files: Files) {
  const folder = await folderOf(files);
  const outputs = createBuildOutputs(folder.path);
  const write = async (more: Files) => void (await writeFiles(folder.path, more));
  return {
    write,
    build: (more: Files) => outputs.during(() => write(more)),
    /** Runs `work`, and tells which of its changes are a reason to build again. */
    async reasons(work: () => Promise<unknown>): Promise<string[]> {
      const before = lookAt(folder.path);
      await work();
      const after = lookAt(folder.path);
      return changesBetween(before, after).filter((path) => !outputs.isOwn(path, after.marks.get(path)));
    },
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
}

test("what builds write again and again is no reason to build", async () => {
  await using app = await createBuilt({ "src/a.ts": "1" });
  expect(await app.reasons(() => app.build({ "dist/a.js": "1" }))).toEqual([]);
  expect(await app.reasons(() => app.write({ "src/a.ts": "2" }))).toEqual(["src/a.ts"]);
  expect(await app.reasons(() => app.build({ "dist/a.js": "2" }))).toEqual([]);
});

test("what is saved during a build is a reason, and what is new in its output costs one more", async () => {
  await using app = await createBuilt({ "src/a.ts": "1" });
  await app.build({ "dist/a.js": "1" });
  expect(await app.reasons(() => app.build({ "dist/a.js": "2", "src/a.ts": "2" }))).toEqual(["src/a.ts"]);
  expect(await app.reasons(() => app.build({ "dist/a.js": "2", "dist/b.js": "2" }))).toEqual(["dist/b.js"]);
  expect(await app.reasons(() => app.build({ "dist/a.js": "2", "dist/b.js": "2" }))).toEqual([]);
});

test("an output that a person changes is a reason", async () => {
  await using app = await createBuilt({ "src/a.ts": "1" });
  await app.build({ "dist/a.js": "1" });
  expect(await app.reasons(() => app.write({ "dist/a.js": "mine" }))).toEqual(["dist/a.js"]);
});
