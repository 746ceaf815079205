import { expect, test } from "bun:test";
import { crc32 as reference } from "node:zlib";
import { crc32, crc32InJavaScript } from "../../../src/artifact/unpack/crc32.ts";

test.each([0, 1, 3, 4, 5, 255, 100_003])(
  "both checksums of %d bytes agree with zlib, in one piece and in two",
  (length) => {
    const data = Uint8Array.from({ length }, (_, i) => (i * 7919) >>> 3);
    const [head, tail] = [data.subarray(0, length >> 1), data.subarray(length >> 1)];
    for (const implementation of [crc32, crc32InJavaScript]) {
      expect(implementation(data)).toBe(reference(data));
      expect(implementation(tail, implementation(head))).toBe(reference(data));
    }
  },
);
