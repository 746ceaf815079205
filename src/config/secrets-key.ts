import { hkdfSync, randomBytes } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurably } from "../lib/durable-write.ts";
import { AetherError, asDiskError, systemCode } from "../lib/errors.ts";

/** The server's 32 byte root secret: configured, else kept in the data folder, made there by the first start. */
export async function loadSecretsKey({
  configured,
  dataFolder,
}: {
  configured: string | undefined;
  dataFolder: string;
}): Promise<Uint8Array> {
  if (configured !== undefined) return parseKey(configured, "AETHER_SECRETS_KEY");
  const path = join(dataFolder, "secrets.key");
  try {
    return parseKey((await readFile(path, "utf8")).trim(), path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw asDiskError(error, "read", path);
  }
  const key = randomBytes(32);
  try {
    await writeFileDurably(path, `${key.toString("hex")}\n`, 0o600);
    await chmod(path, 0o600);
  } catch (error) {
    throw asDiskError(error, "write", path);
  }
  return key;
}

/** A key for one purpose, so that no two uses share one (HKDF-SHA256). */
export function deriveKey(root: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", root, new Uint8Array(), `aether ${purpose}`, 32));
}

function parseKey(text: string, source: string): Uint8Array {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (key.length === 32) return key;
  throw new AetherError("config_invalid", `${source} does not hold 32 bytes in hex or base64.`, {
    hint: "Make one with: openssl rand -hex 32",
  });
}
