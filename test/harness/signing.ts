import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A key pair of node:crypto, which none of our signing code has touched. */
export function createSigner() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicKey: hexOf(publicKey, "x"),
    seed: hexOf(privateKey, "d"),
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    /** Over the 64 characters of the digest, as hex. */
    sign: (digest: string) => sign(null, new TextEncoder().encode(digest), privateKey).toString("hex"),
  };
}

function hexOf(key: KeyObject, part: "x" | "d"): string {
  return Buffer.from(key.export({ format: "jwk" })[part] ?? "", "base64url").toString("hex");
}
