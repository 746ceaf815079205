import { createHash } from "node:crypto";

/** Numbers of Apple's `cs_blobs.h`; a signature is big-endian in a little-endian file. */
export const magics = { superBlob: 0xfade0cc0, codeDirectory: 0xfade0c02 };
export const flags = { adhoc: 0x2, linkerSigned: 0x20000 };
const hashTypeSha256 = 2;
const hashBytes = 32;
const pageBits = 12;
/** Up to the executable segment's fields: the version that linkers write. */
const version = 0x20400;
const fixedBytes = 88;
const mainBinary = 1n;

export interface CodeDirectory {
  flags: number;
  identifier: string;
  hashType: number;
  pageBytes: number;
  codeLimit: number;
  textLimit: number;
  /** Hashes of the pages of the file. */
  pages: Buffer[];
  /** Hashes of other blobs by their slot: requirements 2, entitlements 5, … */
  special: Map<number, Buffer>;
}

/** Reads a CodeDirectory blob. */
export function parseCodeDirectory(blob: Buffer): CodeDirectory {
  const [hashOffset, identifierOffset] = [blob.readUInt32BE(16), blob.readUInt32BE(20)];
  const [specialCount, pageCount] = [blob.readUInt32BE(24), blob.readUInt32BE(28)];
  const size = blob.readUInt8(36);
  if (hashOffset + pageCount * size > blob.length) throw new Error("the CodeDirectory is shorter than its hashes");
  const slot = (index: number): Buffer => blob.subarray(hashOffset + index * size, hashOffset + (index + 1) * size);
  return {
    flags: blob.readUInt32BE(12),
    identifier: blob.toString("utf8", identifierOffset, blob.indexOf(0, identifierOffset)),
    hashType: size === hashBytes ? blob.readUInt8(37) : 0,
    pageBytes: 2 ** blob.readUInt8(39),
    codeLimit: blob.readUInt32BE(32),
    textLimit: blob.readUInt32BE(8) >= version ? Number(blob.readBigUInt64BE(72)) : 0,
    pages: Array.from({ length: pageCount }, (_, index) => slot(index)),
    special: new Map(Array.from({ length: specialCount }, (_, index) => [index + 1, slot(-index - 1)])),
  };
}

export const isSha256 = ({ hashType }: CodeDirectory): boolean => hashType === hashTypeSha256;

/** SHA-256 of each page; the last one is hashed as short as it is. */
export function hashPages(code: Buffer, pageBytes = 2 ** pageBits): Buffer[] {
  return Array.from({ length: Math.ceil(code.length / pageBytes) }, (_, index) =>
    createHash("sha256")
      .update(code.subarray(index * pageBytes, (index + 1) * pageBytes))
      .digest(),
  );
}

/** How many bytes `createSignature` makes. */
export function signatureBytes({ identifier, codeLimit }: { identifier: string; codeLimit: number }): number {
  return (
    superBlobBytes + fixedBytes + Buffer.byteLength(identifier) + 1 + Math.ceil(codeLimit / 2 ** pageBits) * hashBytes
  );
}

const superBlobBytes = 20;

/** An ad-hoc signature over `code`, as a linker makes it: a SuperBlob with nothing but a CodeDirectory. */
export function createSignature(
  code: Buffer,
  { identifier, textLimit }: { identifier: string; textLimit: number },
): Buffer {
  const name = Buffer.from(`${identifier}\0`);
  const hashes = hashPages(code);
  const directory = Buffer.alloc(fixedBytes);
  const length = fixedBytes + name.length + hashes.length * hashBytes;
  const numbers = [magics.codeDirectory, length, version, flags.adhoc | flags.linkerSigned, fixedBytes + name.length];
  for (const [index, value] of [...numbers, fixedBytes, 0, hashes.length, code.length].entries()) {
    directory.writeUInt32BE(value, index * 4);
  }
  directory.set([hashBytes, hashTypeSha256, 0, pageBits], 36);
  directory.writeBigUInt64BE(BigInt(textLimit), 72);
  directory.writeBigUInt64BE(mainBinary, 80);
  const head = Buffer.alloc(superBlobBytes);
  for (const [index, value] of [magics.superBlob, superBlobBytes + length, 1, 0, superBlobBytes].entries()) {
    head.writeUInt32BE(value, index * 4);
  }
  return Buffer.concat([head, directory, name, ...hashes]);
}
