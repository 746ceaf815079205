import { createHash } from "node:crypto";
import { getPublicKey, hashes, Point, sign } from "@noble/ed25519";

// Signatures of a text as hex, made by the rules of RFC 8032 and against them. `accepted` is ours; where implementations
// differ in the wild, the name says in what.

export interface SignatureVector {
  name: string;
  publicKey: string;
  text: string;
  signature: string;
  accepted: boolean;
}

hashes.sha512 = (message) => new Uint8Array(createHash("sha512").update(message).digest());

const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const field = 2n ** 255n - 19n;
const seed = new Uint8Array(32).fill(7);
const publicKey = getPublicKey(seed);
const otherKey = hex(getPublicKey(new Uint8Array(32).fill(8)));
const digest = "0123456789abcdef".repeat(4);
const good = hex(sign(bytes(digest), seed));
const [goodR, goodS] = [good.slice(0, 64), good.slice(64)];

/** The eight points of small order, found as multiples of one of order 8. */
const torsion = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", true);
const smallOrder = Array.from({ length: 8 }, (_, times) => multiple(torsion, times));

/** Other encodings of points of small order: y is not below the field's prime, or x is 0 with its sign set. */
const notCanonical = [
  numberHex(1n | (1n << 255n)),
  numberHex((field - 1n) | (1n << 255n)),
  numberHex(field),
  numberHex(field + 1n),
  numberHex(field | (1n << 255n)),
  numberHex((field + 1n) | (1n << 255n)),
];

/** A signature of whoever chose all of it: scalar `a` with key `A`, nonce `r` with point `R`. */
function forge(A: string, R: string, { a, r }: { a: bigint; r: bigint }): string {
  const k = hashScalar(R, A);
  return R + numberHex((r + k * a) % order);
}

const mixedKey = Point.BASE.multiply(5n).add(torsion).toHex();
const mixedNonce = Point.BASE.multiply(9n).add(torsion).toHex();
const plainKey = Point.BASE.multiply(5n).toHex();

/** Nonces are tried until the torsion part vanishes, so that the equation holds even without the cofactor. */
function forgeWithMixedKey(): string {
  for (let r = 1n; ; r += 1n) {
    const R = Point.BASE.multiply(r).toHex();
    if (hashScalar(R, mixedKey) % 8n === 0n) return forge(mixedKey, R, { a: 5n, r });
  }
}

const vector = (name: string, accepted: boolean, more: Partial<SignatureVector> = {}): SignatureVector => ({
  name,
  accepted,
  publicKey: hex(publicKey),
  text: digest,
  signature: good,
  ...more,
});

/** One table for both implementations. */
export const signatureVectors: SignatureVector[] = [
  vector("RFC 8032 test 1, the empty message", true, {
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    text: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  }),
  vector("RFC 8032 test 2, one byte", true, {
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    text: "r",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  }),
  vector("a digest", true),
  vector("another digest", false, { text: digest.replace("0", "1") }),
  vector("the digest's bytes instead of its characters", false, {
    signature: hex(sign(new Uint8Array(Buffer.from(digest, "hex")), seed)),
  }),
  vector("another key", false, { publicKey: otherKey }),
  vector("a flipped bit in R", false, { signature: flipped(goodR) + goodS }),
  vector("a flipped bit in S", false, { signature: goodR + flipped(goodS) }),
  vector("R and S swapped", false, { signature: goodS + goodR }),
  vector("S + L (malleable)", false, { signature: goodR + numberHex(scalar(goodS) + order) }),
  vector("S + 8 L (malleable, the highest bit set)", false, {
    signature: goodR + numberHex(scalar(goodS) + 8n * order),
  }),
  vector("S = L", false, { signature: goodR + numberHex(order) }),
  vector("upper-case hex", false, { signature: good.toUpperCase() }),
  vector("a byte too many", false, { signature: `${good}00` }),
  vector("a byte too few", false, { signature: good.slice(2) }),
  vector("no signature", false, { signature: "" }),
  vector("base64 instead of hex", false, { signature: Buffer.from(good, "hex").toString("base64") }),
  vector("a public key in upper case", false, { publicKey: hex(publicKey).toUpperCase() }),
  vector("no public key", false, { publicKey: "" }),
  vector("a public key that is no point", false, { publicKey: numberHex(2n) }),
  ...smallOrder.map((A, times) =>
    vector(`public key of small order, number ${times}, S = 0, R the same`, false, {
      publicKey: A.toHex(),
      signature: A.toHex() + "00".repeat(32),
    }),
  ),
  ...smallOrder.map((A, times) =>
    vector(`public key of small order, number ${times}, that signs everything`, false, {
      publicKey: A.toHex(),
      signature: forge(A.toHex(), Point.BASE.multiply(3n).toHex(), { a: 0n, r: 3n }),
    }),
  ),
  ...notCanonical.map((A, number) =>
    vector(`public key in non-canonical encoding ${number}`, false, {
      publicKey: A,
      signature: forge(A, Point.BASE.multiply(3n).toHex(), { a: 0n, r: 3n }),
    }),
  ),
  ...[...smallOrder.map((R) => R.toHex()), ...notCanonical].map((R, number) =>
    vector(`R of small order or not canonical, ${number}`, false, {
      publicKey: plainKey,
      signature: forge(plainKey, R, { a: 5n, r: 0n }),
    }),
  ),
  vector("a key with a chosen scalar, to see that the forge works", true, {
    publicKey: plainKey,
    signature: forge(plainKey, Point.BASE.multiply(9n).toHex(), { a: 5n, r: 9n }),
  }),
  vector("public key of mixed order (only the cofactored equation holds)", false, {
    publicKey: mixedKey,
    signature: forge(mixedKey, Point.BASE.multiply(9n).toHex(), { a: 5n, r: 9n }),
  }),
  vector("public key of mixed order (both equations hold)", false, {
    publicKey: mixedKey,
    signature: forgeWithMixedKey(),
  }),
  vector("R of mixed order (only the cofactored equation holds)", false, {
    publicKey: plainKey,
    signature: forge(plainKey, mixedNonce, { a: 5n, r: 9n }),
  }),
];

function multiple(point: Point, times: number): Point {
  return Array.from({ length: times }, () => point).reduce((sum, one) => sum.add(one), Point.ZERO);
}

function hashScalar(R: string, A: string): bigint {
  const hash = createHash("sha512")
    .update(Buffer.from(R + A, "hex"))
    .update(digest)
    .digest("hex");
  return scalar(hash) % order;
}

function scalar(littleEndian: string): bigint {
  return BigInt(`0x${littleEndian.match(/../g)?.reverse().join("")}`);
}

function numberHex(value: bigint): string {
  return (value.toString(16).padStart(64, "0").match(/../g) ?? []).reverse().join("");
}

function flipped(part: string): string {
  return numberHex(scalar(part) ^ 1n);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
