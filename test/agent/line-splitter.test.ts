import { expect, test } from "bun:test";
import { createLineSplitter } from "../../src/agent/line-splitter.ts";

test("lines and characters that span chunks stay whole", () => {
  const splitter = createLineSplitter();
  const bytes = Buffer.from("grün\r\n日本\nrest");
  const lines = [...bytes].flatMap((byte) => splitter.push(Buffer.from([byte])));
  expect([...lines, ...splitter.flush()]).toEqual(["grün", "日本", "rest"]);
  expect(splitter.flush()).toEqual([]);
});

test("a line without an end is cut, never through a character", () => {
  const splitter = createLineSplitter(4);
  expect(splitter.push(Buffer.from("abc😀defgh"))).toEqual(["abc", "😀de"]);
  expect([...splitter.push(Buffer.from("i\n")), ...splitter.flush()]).toEqual(["fghi"]);
});

test("bytes that are no UTF-8 are replaced", () => {
  expect(createLineSplitter().push(Buffer.from([0xff, 0x0a]))).toEqual(["\ufffd"]);
});
