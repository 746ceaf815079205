import { z } from "@hono/zod-openapi";
import type { ErrorView } from "../core/wire.ts";
import { wireCodes } from "../lib/errors.ts";

const errorView: z.ZodType<ErrorView> = z
  .object({
    code: z.enum(wireCodes),
    message: z.string(),
    hint: z.string().optional() as z.ZodType<string>,
    request_id: z.string(),
    reason: z.string().optional() as z.ZodType<string>,
  })
  .openapi("Error");

/** A JSON answer of `schema`. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** An answer that is a stream or a page, and no typed value: `types` are its content types. */
export function raw<T extends string>(types: Record<T, z.ZodType>, description: string): { description: string } {
  const content = Object.fromEntries(Object.entries(types).map(([type, schema]) => [type, { schema }]));
  return { description, content } as { description: string };
}

/** The connection becomes a WebSocket. */
export const switching: { description: string } = {
  description:
    "A WebSocket (RFC 6455). The token may come as the subprotocol `aether.bearer.<token>`, where no header can be set; that, or `aether.v1` offered beside it, is answered. Closed with 1000 at its end, 1001 when the server stops, 1008 when the token no longer works, 1011 with a reason when it failed.",
};

/** A JSON request body that must be there. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

const failure = (description: string) => json(errorView, description);

/** The error answers that any route may give. */
export const failures = {
  400: failure("The input is not valid"),
  401: failure("A token is needed"),
  403: failure("The token, the origin, a quota or an enforcement flag forbids it"),
  404: failure("Nothing of that name that this token may see"),
  409: failure("It collides with what is there"),
  413: failure("The body is too large"),
  429: failure("Too many requests, or uploads at once: Retry-After says when to come back"),
  500: failure("A bug of the server; its log has the story under the request id"),
  503: failure("A part of the server is unavailable"),
} as const;

/** A whole number in a query. `Number` alone would take nothing at all for 0, and `0x10` for 16. */
export const queryNumber = (minimum: number, maximum: number) =>
  z
    .preprocess(
      (text) => (typeof text === "string" && !/^-?\d+(\.\d+)?$/.test(text) ? Number.NaN : text),
      z.coerce.number().int().min(minimum).max(maximum),
    )
    .openapi({ type: "integer", minimum, maximum });

/** `limit` and `offset` of a list. */
export const pageQuery = z.object({
  limit: queryNumber(1, 1000).default(100),
  offset: queryNumber(0, 1_000_000_000).default(0),
});
