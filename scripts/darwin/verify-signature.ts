import { createHash } from "node:crypto";
import { type CodeDirectory, flags, hashPages, isSha256, magics, parseCodeDirectory } from "./code-directory.ts";
import { type MachO, parseMachO } from "./mach-o.ts";

export interface SignatureReport {
  arch: string;
  identifier: string;
  pages: number;
  /** What macOS would stumble over; empty when the signature is valid. */
  problems: string[];
}

/** Checks the ad-hoc signature of a Mach-O file as macOS does before it starts one: without a Mac. */
export function verifySignature(file: Buffer): SignatureReport {
  const macho = parseMachO(file);
  const { blobs, problem } = readBlobs(file, macho);
  const blob = blobs.get(0);
  if (blob === undefined) {
    return { arch: macho.arch, identifier: "", pages: 0, problems: [problem ?? "it has no CodeDirectory"] };
  }
  const directory = parseCodeDirectory(blob);
  const problems = [
    ...checkPlace(file, macho),
    ...checkDirectory(directory, macho),
    ...checkSpecial(directory, blobs),
    ...checkPages(file, directory),
  ];
  return { arch: macho.arch, identifier: directory.identifier, pages: directory.pages.length, problems };
}

function readBlobs(file: Buffer, { signature }: MachO): { blobs: Map<number, Buffer>; problem?: string } {
  const blobs = new Map<number, Buffer>();
  if (signature === undefined) return { blobs, problem: "it is not signed: there is no LC_CODE_SIGNATURE" };
  const all = file.subarray(signature.offset, signature.offset + signature.size);
  if (all.length < 12 || all.readUInt32BE(0) !== magics.superBlob || all.readUInt32BE(4) > all.length) {
    return { blobs, problem: "its signature is no SuperBlob or is cut off" };
  }
  for (let index = 0; index < all.readUInt32BE(8); index += 1) {
    const [type, offset] = [all.readUInt32BE(12 + index * 8), all.readUInt32BE(16 + index * 8)];
    if (blobs.has(type)) return { blobs: new Map(), problem: `its signature has two blobs of type ${type}` };
    blobs.set(type, all.subarray(offset, offset + all.readUInt32BE(offset + 4)));
  }
  const directory = blobs.get(0);
  if (directory !== undefined && directory.readUInt32BE(0) === magics.codeDirectory) return { blobs };
  return { blobs: new Map(), problem: "its signature has no CodeDirectory" };
}

function* checkPlace(file: Buffer, { signature, segments }: MachO): Generator<string> {
  const end = (signature?.offset ?? 0) + (signature?.size ?? 0);
  if (end !== file.length) yield `the signature ends at ${end}, the file at ${file.length}`;
  const last = segments.find(({ name }) => name === "__LINKEDIT");
  if (last === undefined || last.fileOffset + last.fileSize !== file.length)
    yield "__LINKEDIT does not end with the file";
}

function* checkDirectory(directory: CodeDirectory, { signature, segments }: MachO): Generator<string> {
  if ((directory.flags & flags.adhoc) === 0) yield "it is not signed ad hoc but by somebody's certificate";
  if (!isSha256(directory)) yield "its hashes are not SHA-256";
  if (directory.codeLimit !== signature?.offset) {
    yield `the hashes cover ${directory.codeLimit} bytes, but ${signature?.offset} stand before the signature`;
  }
  const text = segments.find(({ name }) => name === "__TEXT");
  if (directory.textLimit !== text?.fileSize) yield "the limit of the executable segment is not that of __TEXT";
  const bundle = segments.find(({ name }) => name === "__BUN");
  if (bundle === undefined) yield "it has no __BUN segment: no application is embedded";
  else if (bundle.fileOffset + bundle.fileSize > directory.codeLimit) yield "the hashes do not cover __BUN";
}

/** A hash of zeros says that there is no such blob. */
function* checkSpecial({ special }: CodeDirectory, blobs: Map<number, Buffer>): Generator<string> {
  for (const [slot, expected] of special) {
    const blob = blobs.get(slot);
    const actual = blob === undefined ? Buffer.alloc(expected.length) : createHash("sha256").update(blob).digest();
    if (!actual.equals(expected)) yield `the hash of special slot ${slot} is wrong`;
  }
}

function* checkPages(file: Buffer, { pages, pageBytes, codeLimit }: CodeDirectory): Generator<string> {
  const actual = hashPages(file.subarray(0, codeLimit), pageBytes);
  if (actual.length !== pages.length) yield `it has ${pages.length} page hashes for ${actual.length} pages`;
  const wrong = [...actual.keys()].filter((index) => !actual[index]?.equals(pages[index] ?? Buffer.alloc(0)));
  if (wrong.length > 0)
    yield `the hash of ${wrong.length} of ${actual.length} pages is wrong, the first is page ${wrong[0]}`;
}
