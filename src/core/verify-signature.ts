import { verifyAsync } from "@noble/ed25519";
import type { Digest } from "./digest.ts";
import { publicKeyProblem, signatureProblem, signedBytes } from "./signature.ts";

/** The one of `publicKeys` that made the signature of `digest`, or undefined when none of them did. */
export async function findSigner(
  digest: Digest,
  signature: string,
  publicKeys: readonly string[],
): Promise<string | undefined> {
  if (signatureProblem(signature) !== undefined) return undefined;
  for (const key of publicKeys) {
    if (publicKeyProblem(key) !== undefined) continue;
    const made = await verifyAsync(bytesOf(signature), signedBytes(digest), bytesOf(key), { zip215: false });
    if (made) return key;
  }
  return undefined;
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
