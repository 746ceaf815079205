import { z } from "@hono/zod-openapi";
import type { PublicKey } from "../../control/keys.ts";
import type { PublicKeyView } from "../../core/wire.ts";
import { appParam, publicKey, time } from "./fields.ts";

export const newPublicKey = z.object({ public_key_hex: publicKey }).openapi("NewPublicKey");

export const publicKeyParam = appParam.extend({
  hex: publicKey.openapi({ param: { name: "hex", in: "path" } }),
});

export const publicKeyView = z
  .object({
    app_id: z.uuid(),
    public_key_hex: publicKey,
    active: z.boolean(),
    created_at: time,
    revoked_at: time.nullable(),
  })
  .openapi("PublicKey") satisfies z.ZodType<PublicKeyView>;

/** A row as the API shows it. */
export function toPublicKeyView({ appId, publicKeyHex, active, createdAt, revokedAt }: PublicKey): PublicKeyView {
  return {
    app_id: appId,
    public_key_hex: publicKeyHex,
    active,
    created_at: createdAt.toISOString(),
    revoked_at: revokedAt?.toISOString() ?? null,
  };
}
