import { z } from "@hono/zod-openapi";
import type { Token } from "../../control/tokens.ts";
import { longestLifeSecs, longestOverlapSecs, tokenNamePattern } from "../../core/access-token.ts";
import { roles } from "../../core/roles.ts";
import type { NewTokenView, RotatedTokenView, TokenView } from "../../core/wire.ts";
import { AetherError } from "../../lib/errors.ts";

const expiry = {
  expires_in_secs: z.number().int().min(1).max(longestLifeSecs).optional(),
  expires_at: z.iso.datetime({ offset: true }).optional().openapi({ description: "Either this or expires_in_secs" }),
};

export const tokenParam = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) });

export const newToken = z
  .object({
    name: z.string().regex(tokenNamePattern, "it must have 1 to 100 printable characters"),
    role: z.enum(roles),
    apps: z.array(z.string()).max(1000).optional().openapi({ description: "Names of apps; without it, all" }),
    ...expiry,
  })
  .openapi("NewToken");

export const rotation = z
  .object({
    overlap_secs: z
      .number()
      .int()
      .min(0)
      .max(longestOverlapSecs)
      .default(86_400)
      .openapi({ description: "How long the old token goes on working" }),
    ...expiry,
  })
  .openapi("Rotation");

const fields = {
  id: z.string(),
  name: z.string(),
  role: z.enum(roles),
  apps: z.array(z.string()).nullable().openapi({ description: "Null: all apps" }),
  created_at: z.string(),
  created_by: z.string(),
  expires_at: z.string().nullable(),
  last_used_at: z.string().nullable().openapi({ description: "To the minute" }),
  revoked_at: z.string().nullable(),
};

export const tokenView = z.object(fields).openapi("Token") satisfies z.ZodType<TokenView>;
export const newTokenView = z
  .object({ ...fields, token: z.string().openapi({ description: "Shown this once" }) })
  .openapi("MadeToken") satisfies z.ZodType<NewTokenView>;
export const rotatedTokenView = z
  .object({ ...fields, token: z.string(), previous: tokenView })
  .openapi("RotatedToken") satisfies z.ZodType<RotatedTokenView>;

/** A row as the API shows it. */
export function toTokenView(token: Token): TokenView {
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    apps: token.apps,
    created_at: token.createdAt.toISOString(),
    created_by: token.createdBy,
    expires_at: token.expiresAt?.toISOString() ?? null,
    last_used_at: token.lastUsedAt?.toISOString() ?? null,
    revoked_at: token.revokedAt?.toISOString() ?? null,
  };
}

/** When a token ends that is asked for now. */
export function expiryOf(
  { expires_in_secs, expires_at }: { expires_in_secs?: number | undefined; expires_at?: string | undefined },
  now: Date,
): Date | undefined {
  if (expires_in_secs !== undefined && expires_at !== undefined) {
    throw new AetherError("bad_request", "Give either expires_in_secs or expires_at, not both.");
  }
  if (expires_in_secs !== undefined) return new Date(now.getTime() + expires_in_secs * 1000);
  return expires_at === undefined ? undefined : new Date(expires_at);
}
