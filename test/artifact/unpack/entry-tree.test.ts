import { expect, test } from "bun:test";
import { createEntryTree } from "../../../src/artifact/unpack/entry-tree.ts";
import { defaultUnpackLimits } from "../../../src/artifact/unpack/unpack-limits.ts";

function addAll(paths: string[], foldsCase: boolean): string | undefined {
  const tree = createEntryTree({ foldsCase, limits: defaultUnpackLimits });
  try {
    for (const path of paths) tree.add({ kind: "file", path, size: 0, executable: false });
    return undefined;
  } catch (error) {
    return (error as { details: { rule: string } }).details.rule;
  }
}

test.each([
  ["case", ["README", "readme"]],
  ["case of folders", ["Lib/a", "lib/b"]],
  ["case beyond ASCII", ["É", "é"]],
  ["case and normal form", ["\u00c9", "e\u0301"]],
  ["sharp s", ["straße", "STRASSE"]],
  ["ligature", ["ﬁle", "file"]],
  ["final sigma", ["ΟΔΟΣ", "οδος"]],
])("twins by %s are refused only where the file system folds case", (_, paths) => {
  expect(addAll(paths, true)).toBe("name_twin");
  expect(addAll(paths, false)).toBeUndefined();
});

test.each([true, false])("twins by Unicode form are always refused (folds case: %p)", (foldsCase) => {
  expect(addAll(["caf\u00e9", "cafe\u0301"], foldsCase)).toBe("name_twin");
});

test("a folding file system finds a link under another case", () => {
  const tree = createEntryTree({ foldsCase: true, limits: defaultUnpackLimits });
  tree.add({ kind: "link", path: "Up", size: 0, target: "d" });
  expect(() => tree.add({ kind: "file", path: "up/x", size: 0, executable: false })).toThrow("another case");
});

test("the folders of a path come back once, outermost first", () => {
  const tree = createEntryTree({ foldsCase: false, limits: defaultUnpackLimits });
  const folders = (path: string) => tree.add({ kind: "file", path, size: 0, executable: false }).folders;
  expect(folders("a/b/c/x")).toEqual(["a", "a/b", "a/b/c"]);
  expect(folders("a/b/d/x")).toEqual(["a/b/d"]);
  expect(tree.add({ kind: "folder", path: "a/b", size: 0 }).folders).toEqual([]);
});
