import { bodyLimit } from "hono/body-limit";
import { createMiddleware } from "hono/factory";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

const megabyte = 1024 ** 2;

/** Refuses bodies that are too large, by their announced length or while they come. Only whole artifacts may be large. */
export function bodySize(maxArtifactSizeBytes: number) {
  const ordinary = bodyLimit({ maxSize: megabyte, onError: tooLarge });
  const artifact = bodyLimit({ maxSize: maxArtifactSizeBytes + megabyte, onError: tooLarge });
  return createMiddleware<ServerEnv>(function bodySize(c, next) {
    return c.req.path === "/artifacts" ? artifact(c, next) : ordinary(c, next);
  });
}

function tooLarge(): never {
  throw new AetherError("payload_too_large", "The request body is too large.");
}
