import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { defaultUnpackLimits } from "../../src/artifact/unpack/unpack-limits.ts";
import { endMark, file, header, sha256 } from "./tar-archive.ts";

/** With the manifest and its folder exactly as many entries as are allowed. */
export const fullHouseFiles = defaultUnpackLimits.entries - 2;

/** Archives far larger than they look, written piece by piece: what they unpack to never exists anywhere. */
export const hollowArchives = {
  /** 10 GB of zeros: the first member holds a header of nearly 8 GB, all others the same zeros. */
  *zeros() {
    const zeros = gzipSync(Buffer.alloc(16_000_000));
    yield gzipSync(header({ name: "zeros", size: 8 ** 11 - 1 }));
    for (let i = 0; i < 625; i += 1) yield zeros;
  },

  /** A million files without content. */
  *emptyFiles() {
    for (let i = 0; i < 1000; i += 1) {
      const blocks = Array.from({ length: 1000 }, (_, n) => header({ name: `f${i * 1000 + n}` }));
      yield gzipSync(Buffer.concat(blocks), { level: 1 });
    }
    yield gzipSync(endMark);
  },

  /** A million gzip members without content. */
  *emptyMembers() {
    const thousand = Buffer.concat(Array.from({ length: 1000 }, () => gzipSync("")));
    yield gzipSync(file("a"));
    for (let i = 0; i < 1000; i += 1) yield thousand;
  },

  /** A file name of 4 GB in the gzip header; the name itself shrinks to nothing on no disk, so 64 MB of it must do. */
  *endlessName() {
    yield Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
    for (let i = 0; i < 64; i += 1) yield Buffer.alloc(1_000_000, "n");
  },

  /** Zeros that shrink a thousandfold, sparsely mixed with noise to stay near the ratio that is allowed. */
  *nearTheRatio() {
    yield gzipSync(header({ name: "mixed", size: 8 ** 11 - 1 }));
    const noise = Buffer.from(sha256("noise").repeat(2000));
    const mixed = gzipSync(Buffer.concat([noise, Buffer.alloc(5_000_000)]), { level: 1 });
    for (let i = 0; i < 400; i += 1) yield mixed;
  },

  /** As many files as are allowed with a manifest that lists them all: what takes the most memory and is accepted. */
  *fullHouse() {
    const count = fullHouseFiles;
    const empty = sha256("");
    const names = Array.from({ length: count }, (_, i) => `${String(i).padStart(8, "0")}${"n".repeat(90)}`);
    for (let i = 0; i < count; i += 1000) {
      const blocks = names.slice(i, i + 1000).map((name) => header({ name }));
      yield gzipSync(Buffer.concat(blocks), { level: 1 });
    }
    const list = JSON.stringify({ files: names.map((path) => ({ path, sha256: empty })) });
    yield gzipSync(file(".aether/manifest.json", list), { level: 1 });
    yield gzipSync(endMark);
  },

  /** A member of stored blocks without content, never ending. */
  *emptyBlocks() {
    yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    const block = Buffer.alloc(1_000_000, deflateRawSync("", { finishFlush: constants.Z_SYNC_FLUSH }));
    for (let i = 0; i < 64; i += 1) yield block;
  },
};

/** Writes one of them. */
export async function writeHollow(path: string, pieces: Iterable<Uint8Array>): Promise<void> {
  const out = createWriteStream(path);
  for (const piece of pieces) if (!out.write(piece)) await new Promise((resolve) => out.once("drain", resolve));
  out.end();
  await finished(out);
}
