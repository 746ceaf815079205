import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AetherError, messageOf } from "../lib/errors.ts";

/** What a ConfigMap takes, with room to spare. */
const mostBytes = 512 * 1024;

/** The certificates of a PEM file, and nothing else of it: a private key beside them stays here. */
export async function readAuthorities(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw refusal(`The file of AETHER_CA_FILE cannot be read: ${messageOf(error)}`);
  });
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw refusal(`The file of AETHER_CA_FILE, ${path}, holds no certificate.`);
  for (const [index, pem] of found.entries()) {
    if (!isCertificate(pem)) throw refusal(`Certificate ${index + 1} of AETHER_CA_FILE, ${path}, is damaged.`);
  }
  const pem = `${found.join("\n")}\n`;
  if (pem.length > mostBytes) throw refusal(`The file of AETHER_CA_FILE, ${path}, is larger than 512 KiB.`);
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

const refusal = (message: string) =>
  new AetherError("config_invalid", message, {
    hint: "Name a PEM file with the certificates of your own authorities, or unset AETHER_CA_FILE.",
  });
