import { getPublicKeyAsync, signAsync } from "@noble/ed25519";
import type { Digest } from "./digest.ts";
import { signedBytes } from "./signature.ts";

/** A private key that signs and cannot be printed: its seed stays inside. */
export interface SigningKey {
  /** Hex. */
  publicKey: string;
  /** Hex Ed25519 over the 64 characters of the digest. */
  sign(digest: Digest): Promise<string>;
}

/** The key of an RFC 8032 seed of 32 bytes. */
export async function createSigningKey(seed: Uint8Array): Promise<SigningKey> {
  return {
    publicKey: hexOf(await getPublicKeyAsync(seed)),
    sign: async (digest) => hexOf(await signAsync(signedBytes(digest), seed)),
  };
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
