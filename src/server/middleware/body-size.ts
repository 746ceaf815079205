import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

const megabyte = 1024 ** 2;

const ordinary = bodyLimit({ maxSize: megabyte, onError: tooLarge });

/** Refuses bodies that are too large, by their announced length or while they come. */
export const bodySize = createMiddleware<ServerEnv>(function bodySize(c, next) {
  // The form with an artifact limits itself while it is read: Hono would hold one of unknown length in memory.
  return c.req.path === "/artifacts" ? next() : ordinary(c, next);
});

function tooLarge(): never {
  throw new AetherError("payload_too_large", "The request body is too large.");
}
