import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { signAdHoc } from "../../scripts/darwin/sign.ts";
import { verifySignature } from "../../scripts/darwin/verify-signature.ts";
import { temporaryFolder } from "../harness/temporary-folder.ts";

const page = 4096;

/** The skeleton of what Bun compiles: text, the embedded application, a link-edit segment and an empty signature. */
function machO({ cpu = 16777223 } = {}): Buffer {
  const file = Buffer.alloc(10 * page + 100, 7);
  const commands = [
    segment("__TEXT", 0, 4 * page),
    segment("__BUN", 4 * page, 4 * page),
    segment("__LINKEDIT", 8 * page, file.length - 8 * page),
    words(0x1d, 16, 10 * page - 80, 180),
  ];
  const head = words(0xfeedfacf, cpu, 0, 2, commands.length, Buffer.concat(commands).length, 0, 0);
  Buffer.concat([head, ...commands]).copy(file);
  return file;
}

function segment(name: string, offset: number, size: number): Buffer {
  const command = Buffer.alloc(72);
  words(0x19, 72).copy(command);
  command.write(name, 8);
  command.writeBigUInt64LE(BigInt(size), 32);
  command.writeBigUInt64LE(BigInt(offset), 40);
  command.writeBigUInt64LE(BigInt(size), 48);
  return command;
}

const words = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);

function changed(file: Buffer, at: number): Buffer {
  const copy = Buffer.from(file);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

test.each([
  ["x64", 16777223],
  ["arm64", 16777228],
])("a signed %s file is valid, and signing it again changes nothing", (arch, cpu) => {
  const signed = signAdHoc(machO({ cpu }));
  expect(verifySignature(signed)).toEqual({ arch, identifier: "a.out", pages: 10, problems: [] });
  expect(signAdHoc(signed).equals(signed)).toBe(true);
});

test("an unsigned file and one without a signature command are told apart from valid ones", () => {
  expect(verifySignature(machO()).problems).toEqual(["its signature is no SuperBlob or is cut off"]);
  const without = machO();
  without.writeUInt32LE(3, 16);
  expect(verifySignature(without).problems).toEqual(["it is not signed: there is no LC_CODE_SIGNATURE"]);
  expect(() => signAdHoc(without)).toThrow("no room for a signature");
  expect(() => verifySignature(Buffer.from("#!/bin/sh\n".repeat(10)))).toThrow("not a thin 64-bit Mach-O");
});

const directoryAt = 10 * page - 80 + 20;
const hashesAt = directoryAt + 88 + "a.out\0".length;

test.each([
  ["header", 28, 0],
  ["first page", page - 1, 0],
  ["application", 5 * page, 5],
  ["last, partial page", 10 * page - 81, 9],
  ["hash of a page", hashesAt + 3 * 32, 3],
])("one flipped bit in the %s is found", (_, at, wrong) => {
  const { problems } = verifySignature(changed(signAdHoc(machO()), at));
  expect(problems).toEqual([`the hash of 1 of 10 pages is wrong, the first is page ${wrong}`]);
});

test.each([
  ["bytes behind the signature", (file: Buffer) => Buffer.concat([file, Buffer.alloc(16)]), "the file at"],
  ["a cut signature", (file: Buffer) => file.subarray(0, -1), "cut off"],
  ["a hash limit below the application", (file: Buffer) => limit(file, 4 * page), "do not cover __BUN"],
  [
    "no ad-hoc flag",
    (file: Buffer) => Buffer.from(file).fill(0, directoryAt + 12, directoryAt + 16),
    "not signed ad hoc",
  ],
])("%s is found", (_, damage, problem) => {
  expect(verifySignature(damage(signAdHoc(machO()))).problems.join("\n")).toContain(problem);
});

function limit(file: Buffer, codeLimit: number): Buffer {
  const copy = Buffer.from(file);
  copy.writeUInt32BE(codeLimit, directoryAt + 32);
  return copy;
}

// Bun fetches its runtime for the other system from the package registry.
describe.skipIf(process.env.AETHER_TEST_FULL !== "1")("what Bun cross-compiles", () => {
  test.each(["arm64", "x64"])(
    "is valid for %s once it is signed",
    async (arch) => {
      await using place = await temporaryFolder();
      await Bun.write(join(place.path, "hello.ts"), "console.log('hello')");
      await $`${process.execPath} build --compile --target=bun-darwin-${arch} hello.ts --outfile hello`
        .cwd(place.path)
        .quiet();
      const file = Buffer.from(await Bun.file(join(place.path, "hello")).arrayBuffer());

      const signed = signAdHoc(file);

      expect(verifySignature(signed)).toMatchObject({ arch, problems: [] });
      // Bun signs for arm64 itself: two writers, the same bytes
      if (arch === "arm64") expect(signed.equals(file)).toBe(true);
      else expect(verifySignature(file).problems).not.toEqual([]); // when this fails, Bun signs for x64 too: sign no more
      expect(verifySignature(changed(signed, signed.length >> 1)).problems.length).toBe(1);
    },
    300_000,
  );
});
