import { createPublicKey, verify } from "node:crypto";
import type { Digest } from "../core/digest.ts";
import { publicKeyProblem, signatureProblem, signedBytes } from "../core/signature.ts";

/** Whether one of `publicKeys` made the signature of `digest`: node:crypto, with what it leaves unchecked checked before. */
export function isSigned(digest: Digest, signature: string, publicKeys: readonly string[]): boolean {
  if (signatureProblem(signature) !== undefined) return false;
  return publicKeys.some((key) => publicKeyProblem(key) === undefined && signedBy(key, digest, signature));
}

function signedBy(publicKey: string, digest: Digest, signature: string): boolean {
  const x = Buffer.from(publicKey, "hex").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verify(null, signedBytes(digest), key, Buffer.from(signature, "hex"));
}
