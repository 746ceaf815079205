import { expect, test } from "bun:test";
import { planParts } from "../../../src/cli/upload/part-plan.ts";

const mebibyte = 1024 ** 2;
const held = (part_number: number, size: number) => ({ part_number, size_bytes: size, etag: `e${part_number}` });
const numbers = (plan: ReturnType<typeof planParts>) => ({
  missing: plan.missing.map(({ number }) => number),
  held: plan.held.map(({ part_number }) => part_number),
});

test("without held parts, the parts cover the artifact once", () => {
  const { missing, held } = planParts(12 * mebibyte, 5 * mebibyte, []);
  expect(held).toEqual([]);
  expect(missing).toEqual([
    { number: 1, from: 0, to: 5 * mebibyte },
    { number: 2, from: 5 * mebibyte, to: 10 * mebibyte },
    { number: 3, from: 10 * mebibyte, to: 12 * mebibyte },
  ]);
});

test.each([
  ["of today's size", 12, 5, [held(2, 5 * mebibyte)], { missing: [1, 3], held: [2] }],
  ["of another size, which they keep", 20, 5, [held(2, 8 * mebibyte)], { missing: [1, 3], held: [2] }],
  ["of which only the last is there", 20, 5, [held(3, 4 * mebibyte)], { missing: [1, 2], held: [3] }],
  [
    "that are all there",
    12,
    5,
    [1, 2, 3].map((n) => held(n, (n === 3 ? 2 : 5) * mebibyte)),
    { missing: [], held: [1, 2, 3] },
  ],
  [
    "of two sizes: the larger share stays",
    30,
    5,
    [held(1, 5 * mebibyte), held(2, 8 * mebibyte)],
    { missing: [1, 3, 4], held: [2] },
  ],
  ["too small to be joined", 12, 5, [held(1, mebibyte)], { missing: [1, 2, 3], held: [] }],
  ["of an artifact of another size", 12, 5, [held(9, 5 * mebibyte)], { missing: [1, 2, 3], held: [] }],
])("held parts %s", (_what, size, partSize, parts, expected) => {
  expect(numbers(planParts(size * mebibyte, partSize * mebibyte, parts))).toEqual(expected);
});
