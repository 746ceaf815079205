import { createMiddleware } from "hono/factory";
import { visit } from "jsonc-parser";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

const types = /^(application\/json|multipart\/form-data)\s*(;|$)/i;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * What reaches a handler means one thing only. A body says that it is JSON, since browsers send `text/plain` anywhere
 * without asking, and is free of what readers disagree on and databases refuse: a name given twice, text that is no
 * Unicode, NUL, numbers beyond all bounds.
 */
export const strictJson = createMiddleware<ServerEnv>(async function strictJson(c, next) {
  const { method } = c.req;
  if (/%00/.test(c.req.url)) throw malformed("The address holds a NUL");
  if (method !== "POST" && method !== "PATCH" && method !== "PUT") return next();
  const type = c.req.header("content-type") ?? "";
  if (!types.test(type)) throw new AetherError("bad_request", "The content type must be application/json.");
  if (/^application\/json/i.test(type)) {
    const problem = jsonProblem(await c.req.arrayBuffer());
    if (problem !== undefined) throw malformed(problem);
  }
  await next();
});

/** Why a body is not JSON that everyone reads alike; syntax is left to the parser. */
export function jsonProblem(body: ArrayBuffer): string | undefined {
  try {
    return findProblem(decoder.decode(body));
  } catch (error) {
    if (error instanceof TypeError) return "The body is not UTF-8";
    if (error instanceof RangeError) return "The body is nested too deeply";
    throw error;
  }
}

function findProblem(text: string): string | undefined {
  const objects: Set<string>[] = [];
  let problem: string | undefined;
  const note = (found: string | undefined) => {
    problem ??= found;
  };
  visit(text, {
    onObjectBegin: () => void objects.push(new Set()),
    onObjectEnd: () => void objects.pop(),
    onObjectProperty(name) {
      const names = objects.at(-1);
      if (names?.has(name)) note(`The name ${JSON.stringify(name)} is given twice`);
      if (name === "__proto__") note('The name "__proto__" is not allowed');
      note(textProblem(name));
      names?.add(name);
    },
    onLiteralValue(value: unknown) {
      if (typeof value === "string") note(textProblem(value));
      if (typeof value === "number" && !Number.isFinite(value)) note("A number is too large");
    },
  });
  return problem;
}

function textProblem(text: string): string | undefined {
  if (text.includes("\0")) return "A text holds a NUL";
  return text.isWellFormed() ? undefined : "A text is not Unicode: it holds half of a surrogate pair";
}

const malformed = (why: string): AetherError => new AetherError("bad_request", `${why}.`);
