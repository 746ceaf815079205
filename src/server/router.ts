import type { z } from "@hono/zod-openapi";
import { OpenAPIHono } from "@hono/zod-openapi";
import { parseDigest } from "../core/digest.ts";
import { AetherError } from "../lib/errors.ts";
import type { ServerEnv } from "./context.ts";
import { inputProblem, isMissing } from "./input-problem.ts";

/** A router whose invalid input is `bad_request` in the envelope, naming the field. */
export function createRouter(): OpenAPIHono<ServerEnv> {
  return new OpenAPIHono<ServerEnv>({
    defaultHook(result) {
      if (result.success) return;
      const [issue] = result.error.issues;
      // It has a code of its own; a malformed one is told so by the handler.
      if (issue !== undefined && isMissingDigest(issue)) parseDigest(undefined);
      const problem = issue === undefined ? "The request is not valid." : inputProblem(issue);
      throw new AetherError("bad_request", problem, { hint: "The API's document is at /openapi.json." });
    },
  });
}

const isMissingDigest = (issue: z.core.$ZodIssue): boolean =>
  isMissing(issue) && String(issue.path.at(-1) ?? "").endsWith("digest");
