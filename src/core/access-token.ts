import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/** What may name a token. */
export const tokenNamePattern = /^[^\p{C}]{1,100}$/u;
/** How long a token may live, and how long one may go on beside its successor. */
export const longestLifeSecs = 10 * 365 * 86_400;
export const longestOverlapSecs = 30 * 86_400;

const pattern = /^aether_([0-9a-f]{64})([0-9a-f]{8})$/;

/** A new token: a prefix that scanners know, 256 random bits, and a checksum, all in hex. */
export function createAccessToken(): string {
  const secret = randomBytes(32).toString("hex");
  return `aether_${secret}${checksum(secret)}`;
}

/** Whether `text` has a token's form and checksum: what has not need not be looked for, nor reported as leaked. */
export function isAccessToken(text: string): boolean {
  const [, secret = "", sum] = pattern.exec(text) ?? [];
  return sum !== undefined && sum === checksum(secret);
}

const checksum = (secret: string): string => crc32(secret).toString(16).padStart(8, "0");
