import { OpenAPIHono } from "@hono/zod-openapi";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";

/** A router whose invalid input is `bad_request` in the envelope, naming the field. */
export function createRouter(): OpenAPIHono<ServerEnv> {
  return new OpenAPIHono<ServerEnv>({
    defaultHook(result) {
      if (result.success) return;
      const [issue] = result.error.issues;
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
