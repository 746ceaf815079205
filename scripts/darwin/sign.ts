import { createSignature, parseCodeDirectory, signatureBytes } from "./code-directory.ts";
import { parseMachO, segmentFields } from "./mach-o.ts";

/** What the file calls itself when its old signature cannot be read. */
const fallbackIdentifier = "a.out";

/**
 * A copy of a Mach-O file with an ad-hoc signature in place of the one it has, under the same identifier. Bun signs what
 * it compiles for arm64, but leaves the signature of its own x64 runtime over the changed bytes (oven-sh/bun#39837).
 */
export function signAdHoc(file: Buffer): Buffer {
  const { signature, segments } = parseMachO(file);
  const text = segments.find(({ name }) => name === "__TEXT");
  const linkEdit = segments.find(({ name }) => name === "__LINKEDIT");
  if (signature === undefined || text === undefined || linkEdit === undefined) {
    throw new Error("there is no room for a signature: LC_CODE_SIGNATURE, __TEXT or __LINKEDIT is missing");
  }
  const identifier = identifierOf(file.subarray(signature.offset));
  const code = Buffer.from(file.subarray(0, signature.offset));
  const size = signatureBytes({ identifier, codeLimit: code.length });
  const linkEditBytes = code.length + size - linkEdit.fileOffset;
  code.writeUInt32LE(size, signature.command + 12);
  code.writeBigUInt64LE(BigInt(linkEditBytes), linkEdit.command + segmentFields.fileSize);
  const vmSize = code.readBigUInt64LE(linkEdit.command + segmentFields.vmSize);
  if (vmSize < linkEditBytes) code.writeBigUInt64LE(wholePages(linkEditBytes), linkEdit.command + segmentFields.vmSize);
  return Buffer.concat([code, createSignature(code, { identifier, textLimit: text.fileSize })]);
}

const largestPage = 16_384;

const wholePages = (bytes: number): bigint => BigInt(Math.ceil(bytes / largestPage) * largestPage);

function identifierOf(superBlob: Buffer): string {
  try {
    const offset = superBlob.readUInt32BE(16);
    return parseCodeDirectory(superBlob.subarray(offset)).identifier || fallbackIdentifier;
  } catch {
    return fallbackIdentifier; // no signature or a broken one: that is what is mended here
  }
}
