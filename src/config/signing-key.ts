import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSigningKey, type SigningKey } from "../core/signing-key.ts";
import { AetherError } from "../lib/errors.ts";

/**
 * The key of AETHER_SIGNING_KEY, undefined when it is not set: a seed of 32 bytes in hex or base64, a PKCS#8 PEM, or the
 * path of a file that holds one of them. No error repeats the value, which may be a key with a slip.
 */
export async function readSigningKey(env: Record<string, string | undefined>): Promise<SigningKey | undefined> {
  const given = env.AETHER_SIGNING_KEY?.trim();
  if (given === undefined || given === "") return undefined;
  const seed = parseSeed(given) ?? (await readFile(given, "utf8").then(parseSeed, () => undefined));
  if (seed) return createSigningKey(seed);
  throw new AetherError(
    "config_invalid",
    "AETHER_SIGNING_KEY is neither an Ed25519 private key nor a file that holds one.",
    { hint: "Make one with aether keys generate, and set the variable to the file's path." },
  );
}

function parseSeed(text: string): Uint8Array | undefined {
  const key = text.trim();
  if (key.startsWith("-----BEGIN")) return seedOfPem(key);
  if (/^[0-9a-f]{64}$/i.test(key)) return new Uint8Array(Buffer.from(key, "hex"));
  return /^[\w+/-]{43}=?$/.test(key) ? new Uint8Array(Buffer.from(key, "base64")) : undefined;
}

function seedOfPem(pem: string): Uint8Array | undefined {
  try {
    const { crv, d } = createPrivateKey(pem).export({ format: "jwk" });
    return crv === "Ed25519" && d !== undefined ? new Uint8Array(Buffer.from(d, "base64url")) : undefined;
  } catch {
    return undefined; // its message could quote the key
  }
}
