import { open } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../lib/errors.ts";

/** What gives a secret away, with how to call it. Public keys and examples in documentation do not match. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s*[\w+/=\\]/, "a private key"],
  [/\b(?:AKIA|ASIA)(?!\w*EXAMPLE)[A-Z2-7]{16}\b/, "an AWS access key"],
  [/\bnpm_[A-Za-z0-9]{36}\b/, "an npm token"],
  [/_authToken\s*=\s*(?!\$\{)\S{8,}/, "an npm token"],
  [/\bgh[pousr]_[A-Za-z0-9]{36,}\b/, "a GitHub token"],
  [/\bsk_live_[A-Za-z0-9]{20,}\b/, "a Stripe key"],
];

/** Secrets stand in sources and settings, not in large files. */
const scannedBytes = 1_048_576;

/** The files of `paths` that seem to hold a secret, and of which kind. */
export async function findSecrets(folder: string, paths: readonly string[]): Promise<{ path: string; kind: string }[]> {
  const found: { path: string; kind: string }[] = [];
  for (const path of paths) {
    const text = await readStart(join(folder, path));
    const kind = patterns.find(([pattern]) => pattern.test(text))?.[1];
    if (kind !== undefined) found.push({ path, kind });
  }
  return found;
}

async function readStart(path: string): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(scannedBytes, (await file.stat()).size)));
    return buffer.subarray(0, bytesRead).toString("latin1");
  } catch (error) {
    // Removed or made unreadable since it was listed: packing names it if it matters.
    if (systemCode(error) !== undefined) return "";
    throw error;
  }
}
