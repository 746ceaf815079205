import type { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { TrieRouter } from "hono/router/trie-router";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

/** Answers 404 and 405 before a request is looked at further: hono's own answer, a 404 for both, comes after all else. */
export function knownRoute(app: Hono<ServerEnv>) {
  let methods: ((path: string) => Set<string>) | undefined;
  return createMiddleware<ServerEnv>(async function knownRoute(c, next) {
    methods ??= methodsByPath(app); // the routes are mounted after this
    const allowed = methods(c.req.path);
    if (allowed.has("GET")) allowed.add("HEAD");
    if (allowed.size === 0) throw unknownRoute(c.req.method, c.req.path);
    if (!allowed.has(c.req.method)) {
      const allow = [...allowed].sort().join(", ");
      c.header("allow", allow);
      throw new AetherError("method_not_allowed", `${c.req.path} does not take ${c.req.method}.`, {
        hint: `It takes ${allow}.`,
      });
    }
    await next();
  });
}

/** The answer where there is no route. */
export const unknownRoute = (method: string, path: string): AetherError =>
  new AetherError("not_found", `There is no ${method} ${path}.`, { hint: "The API's document is at /openapi.json." });

/** The methods that a path takes. One that is spelled out is itself, and no value of a parameter: `/artifacts/presign`. */
function methodsByPath(app: Hono<ServerEnv>): (path: string) => Set<string> {
  const router = new TrieRouter<string>();
  const spelledOut = new Map<string, string[]>();
  for (const { method, path } of app.routes) {
    if (method === "ALL") continue;
    router.add("ALL", path, method);
    if (!path.includes(":")) spelledOut.set(path, [...(spelledOut.get(path) ?? []), method]);
  }
  return (path) => {
    const own = spelledOut.get(path);
    return new Set(own ?? router.match("ALL", path)[0].map(([method]) => method));
  };
}
