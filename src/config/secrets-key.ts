import { hkdfSync, randomBytes } from "node:crypto";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurably } from "../lib/durable-write.ts";
import { AetherError, asDiskError, systemCode } from "../lib/errors.ts";
import type { ServerConfig } from "./server.ts";

/** The server's 32 byte root secret first, then the one before it, which still opens what it sealed. */
export type SecretsKeys = [Uint8Array, ...Uint8Array[]];

type Settings = Pick<ServerConfig, "databaseUrl" | "secretsKey" | "secretsKeyFile" | "secretsKeyPrevious">;

/**
 * From AETHER_SECRETS_KEY, else AETHER_SECRETS_KEY_FILE, else the data folder, where the first start makes one. Servers that
 * share a Postgres must share a key, and their data folders do not: there it has to be configured.
 */
export async function loadSecretsKeys(settings: Settings, dataFolder: string): Promise<SecretsKeys> {
  const { secretsKeyPrevious: previous } = settings;
  const key = await rootKey(settings, dataFolder);
  return previous === undefined ? [key] : [key, parseKey(previous, "AETHER_SECRETS_KEY_PREVIOUS")];
}

/** A key for one purpose, so that no two uses share one (HKDF-SHA256). */
export function deriveKey(root: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", root, new Uint8Array(), `aether ${purpose}`, 32));
}

/** `deriveKey` of each. */
export function deriveKeys([root, ...previous]: SecretsKeys, purpose: string): SecretsKeys {
  return [deriveKey(root, purpose), ...previous.map((key) => deriveKey(key, purpose))];
}

async function rootKey({ databaseUrl, secretsKey, secretsKeyFile }: Settings, dataFolder: string): Promise<Uint8Array> {
  if (secretsKey !== undefined) return parseKey(secretsKey, "AETHER_SECRETS_KEY");
  if (secretsKeyFile !== undefined) return readConfiguredFile(secretsKeyFile);
  if (databaseUrl !== undefined) {
    throw new AetherError("config_invalid", "A secrets key is needed with DATABASE_URL, and none is configured.", {
      hint: "Set AETHER_SECRETS_KEY to the output of: openssl rand -hex 32 (the same for all servers of that database), or AETHER_SECRETS_KEY_FILE.",
    });
  }
  return keyInFolder(dataFolder);
}

async function readConfiguredFile(path: string): Promise<Uint8Array> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    const why = systemCode(cause) ?? "it cannot be read";
    throw new AetherError("config_invalid", `AETHER_SECRETS_KEY_FILE names ${path}, which cannot be read (${why}).`, {
      cause,
      hint: "Put 32 bytes in hex there: openssl rand -hex 32",
    });
  });
  return parseKey(text.trim(), path);
}

async function keyInFolder(dataFolder: string): Promise<Uint8Array> {
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

function parseKey(text: string, source: string): Uint8Array {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (key.length === 32) return key;
  throw new AetherError("config_invalid", `${source} does not hold 32 bytes in hex or base64.`, {
    hint: "Make one with: openssl rand -hex 32",
  });
}
