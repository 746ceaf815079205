import { expect, test } from "bun:test";
import { createManifestReader } from "../../../src/artifact/unpack/manifest-reader.ts";
import { AetherError } from "../../../src/lib/errors.ts";
import { sha256 } from "../../harness/tar-archive.ts";

const files = [
  "a",
  'quote " and brace } ] , {',
  "back\\slash \\",
  "\ud83d\ude80 日本語",
  "\u0001",
  "z/".repeat(900),
].map((path) => ({
  path,
  sha256: sha256(path),
}));

function readIn(text: string, pieceBytes: number) {
  const found: unknown[] = [];
  const reader = createManifestReader((file) => found.push(file));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.write(bytes.subarray(at, at + pieceBytes));
  reader.close();
  return found;
}

test.each([1, 2, 7, 64, 100_000])("a manifest in pieces of %d bytes is read as JSON.parse reads it", (pieceBytes) => {
  expect(readIn(JSON.stringify({ files }), pieceBytes)).toEqual(files);
  expect(readIn(`${JSON.stringify({ files }, null, 2)}\n`, pieceBytes)).toEqual(files);
  expect(readIn('{ "files" : [ ] }', pieceBytes)).toEqual([]);
});

test("a record without an end is given up early", () => {
  const reader = createManifestReader(() => {});
  reader.write(Buffer.from('{"files":['));
  const piece = Buffer.from(`{"path":"${"x".repeat(1000)}`.repeat(10));
  expect(() => {
    for (let i = 0; i < 100; i += 1) reader.write(piece);
  }).toThrow(AetherError);
});
