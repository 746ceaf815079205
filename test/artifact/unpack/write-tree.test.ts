import { expect, test } from "bun:test";
import { createTreeWriter } from "../../../src/artifact/unpack/write-tree.ts";
import { temporaryFolder } from "../../harness/temporary-folder.ts";

const entry = { size: 0, executable: false };

test.each([
  ["a file that is there under another name", "name_twin", "twin"],
  ["a name that is too long for it", "path_too_long", "n".repeat(256)],
])("%s is refused, whatever the file system calls it", async (_, rule, path) => {
  await using folder = await temporaryFolder();
  const writer = createTreeWriter(folder.path);
  writer.file("twin", entry);
  writer.fileEnd();
  let thrown: unknown;
  try {
    writer.file(path, entry);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "artifact_invalid", details: { rule } });
});
