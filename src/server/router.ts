import type { z } from "@hono/zod-openapi";
import { OpenAPIHono } from "@hono/zod-openapi";
import { parseDigest } from "../core/digest.ts";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";

/** A router whose invalid input is `bad_request` in the envelope, naming the field. */
export function createRouter(): OpenAPIHono<ServerEnv> {
  return new OpenAPIHono<ServerEnv>({
    defaultHook(result) {
      if (result.success) return;
      const [issue] = result.error.issues;
      // It has a code of its own; a malformed one is told so by the handler.
      if (issue !== undefined && isMissingDigest(issue)) parseDigest(undefined);
      const field = issue?.path.join(".") ?? "";
      throw new AetherError(
        "bad_request",
        field === "" ? `${issue?.message}.` : `"${field}" is not valid: ${issue?.message}.`,
        {
          hint: "The API's document is at /openapi.json.",
        },
      );
    },
  });
}

function isMissingDigest({ code, path, message }: z.core.$ZodIssue): boolean {
  const field = String(path.at(-1) ?? "");
  return code === "invalid_type" && field.endsWith("digest") && message.endsWith("received undefined");
}
