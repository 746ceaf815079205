import { AetherError } from "../lib/errors.ts";

/** Lower-case hex SHA-256 of an artifact file, byte for byte: 64 characters, no prefix. */
export type Digest = string;

const pattern = /^[0-9a-f]{64}$/;

/** Whether `value` is a bare digest. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && pattern.test(value);
}

/** A digest from input; `prefix: true` also accepts a leading `sha256:` (annotations, `hot-patch`, `POST /deployments`). */
export function parseDigest(value: unknown, { prefix = false }: { prefix?: boolean } = {}): Digest {
  if (value === undefined || value === null || value === "") {
    throw new AetherError("missing_digest", "The digest is missing.", { hint: "Send the SHA-256 of the artifact." });
  }
  const bare = prefix && typeof value === "string" ? value.replace(/^sha256:/, "") : value;
  if (isDigest(bare)) return bare;
  throw new AetherError("invalid_digest", "The digest is not a lower-case hex SHA-256.", {
    hint: "A digest has 64 characters of 0-9 and a-f.",
  });
}

/** The first 12 characters: enough for people and labels, never for identity. */
export const shortDigest = (digest: Digest): string => digest.slice(0, 12);
