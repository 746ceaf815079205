import { Point } from "@noble/ed25519";
import { AetherError } from "../lib/errors.ts";
import type { Digest } from "./digest.ts";

// Ed25519 has corners in which implementations differ: encodings of the same point or number, points of small order, and
// equations with or without the cofactor. Whatever lies there is refused here, before either of ours (noble on the
// server, node:crypto in the agent) is asked, so that they cannot disagree.

/** What is signed: the 64 ASCII characters of the digest. */
export const signedBytes = (digest: Digest): Uint8Array<ArrayBuffer> => new TextEncoder().encode(digest);

/** Why `value` is no Ed25519 public key that we accept, or undefined when it is one. */
export function publicKeyProblem(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) return "it must be 64 characters of 0-9 and a-f";
  return pointProblem(value);
}

/** Why `value` is no Ed25519 signature that we accept, whatever it signs, or undefined when it may be one. */
export function signatureProblem(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^[0-9a-f]{128}$/.test(value)) return "it must be 128 characters of 0-9 and a-f";
  if (littleEndian(value.slice(64)) >= groupOrder) return "its second half is not below the group's order";
  const problem = pointProblem(value.slice(0, 64));
  return problem && `its first half is no point: ${problem}`;
}

/** A public key from input, or `bad_request`. */
export function parsePublicKey(value: unknown): string {
  const problem = publicKeyProblem(value);
  if (problem === undefined) return value as string;
  throw new AetherError("bad_request", `This is not an Ed25519 public key: ${problem}.`, {
    hint: "aether keys generate makes a pair and prints the public key.",
  });
}

/** RFC 8032's L. */
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

function pointProblem(hex: string): string | undefined {
  try {
    const point = Point.fromHex(hex, false); // false: canonical encodings only
    if (point.isSmallOrder()) return "it is a point of small order";
    return point.isTorsionFree() ? undefined : "it is a point of mixed order";
  } catch {
    return "it is not the canonical encoding of a point on the curve";
  }
}

const littleEndian = (hex: string): bigint => BigInt(`0x${hex.match(/../g)?.reverse().join("")}`);
