import { z } from "@hono/zod-openapi";
import { appNamePattern } from "../../core/app-name.ts";

// Strings with the rules they obey, for the document. The control plane applies them: it says more than a pattern does.

export const appName = z
  .string()
  .openapi({ description: "The name of an app", pattern: appNamePattern, example: "shop" });

export const digest = z
  .string()
  .openapi({ description: "Lower-case hex SHA-256 of the artifact", pattern: "^[0-9a-f]{64}$" });

/** Where people paste digests: a leading `sha256:` is accepted. */
export const anyDigest = digest.openapi({ pattern: "^(sha256:)?[0-9a-f]{64}$" });

/** The beginning of a digest, as people give it. */
export const digestPrefix = z
  .string()
  .regex(/^[0-9a-f]{6,64}$/, "it must be 6 to 64 characters of 0-9 and a-f")
  .openapi({ description: "Only those whose digest begins so" });

/** RFC 3339, as all times are. */
export const time = z.string().openapi({ format: "date-time" });

export const sizeBytes = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export const signature = z.string().openapi({
  description: "Hex Ed25519 over the digest's 64 characters",
  pattern: "^[0-9a-f]{128}$",
});

export const publicKey = z.string().openapi({ description: "Hex Ed25519 public key", pattern: "^[0-9a-f]{64}$" });

export const idempotencyKey = z.string().min(1).max(255);

/** Query of routes that are about one app, or all that the token may read. */
export const appQuery = z.object({ app: appName.optional() });
export const oneAppQuery = z.object({ app: appName });
export const appParam = z.object({ app: appName.openapi({ param: { name: "app", in: "path" } }) });
export const digestParam = z.object({ digest: digest.openapi({ param: { name: "digest", in: "path" } }) });
