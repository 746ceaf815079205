import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Keeps secrets in a database that others may read (AES-256-GCM). */
export interface Sealer {
  /** `context` says what it belongs to; it opens with the same one only, so that no sealed value can be moved. */
  seal(text: string, context: string): string;
  /** Throws when it was sealed with another key or for another context, or was changed. */
  open(sealed: string, context: string): string;
}

const format = "v1";

/** Seals with the first key; opens what any of them sealed, so that keys can be rotated. */
export function createSealer([key, ...previous]: [Uint8Array, ...Uint8Array[]]): Sealer {
  return {
    seal(text, context) {
      const iv = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(context));
      const bytes = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return [format, iv, bytes, cipher.getAuthTag()].map(toText).join(".");
    },
    open(sealed, context) {
      for (const candidate of [key, ...previous]) {
        const opened = tryOpen(candidate, sealed, context);
        if (opened !== undefined) return opened;
      }
      throw new Error("A sealed value cannot be opened: none of the secrets keys made it, or it was changed.");
    },
  };
}

const toText = (part: string | Buffer): string => (typeof part === "string" ? part : part.toString("base64url"));

function tryOpen(key: Uint8Array, sealed: string, context: string): string | undefined {
  const [version, ...parts] = sealed.split(".");
  const [iv, bytes, tag] = parts.map((part) => Buffer.from(part, "base64url"));
  if (version !== format || iv?.length !== 12 || bytes === undefined || tag?.length !== 16) return undefined;
  const cipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: 16 })
    .setAAD(Buffer.from(context))
    .setAuthTag(tag);
  try {
    return Buffer.concat([cipher.update(bytes), cipher.final()]).toString("utf8");
  } catch {
    return undefined; // another key's, or changed: the caller says so when no key opens it
  }
}
