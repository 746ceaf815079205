import { z } from "@hono/zod-openapi";
import type { ErrorView } from "../core/wire.ts";

const errorView: z.ZodType<ErrorView> = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional() as z.ZodType<string>,
    request_id: z.string(),
  })
  .openapi("Error");

/** A JSON answer of `schema`. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A JSON request body that must be there. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}

const failure = (description: string) => json(errorView, description);

/** The error answers that any route may give. */
export const failures = {
  400: failure("The input is not valid"),
  401: failure("A token is needed"),
  403: failure("The token or the origin may not do this"),
  404: failure("Nothing of that name"),
  409: failure("It collides with what is there"),
  503: failure("A part of the server is unavailable"),
} as const;

/** `limit` and `offset` of a list. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
});
