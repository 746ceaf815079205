import { createMiddleware } from "hono/factory";
import { AetherError } from "../../lib/errors.ts";
import type { ServerEnv } from "../context.ts";

/**
 * Without authentication, the browser is the danger: any web page can send requests to 127.0.0.1, and by DNS rebinding
 * read the answers. So `Host` must be a name of this server, and no foreign `Origin` may stand behind a request, but those
 * that the configuration allows.
 */
export function sameMachine(hosts: ReadonlySet<string>, allowedOrigins: readonly string[]) {
  return createMiddleware<ServerEnv>(async function sameMachine(c, next) {
    const host = (c.req.header("host") ?? new URL(c.req.url).host).toLowerCase();
    if (!hosts.has(host)) {
      throw new AetherError("forbidden", `This server does not answer to the name "${host}".`, {
        hint: "Set AETHER_PUBLIC_URL to the address people use, or demand tokens with AETHER_API_TOKENS.",
      });
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && allowedOrigins.includes(origin)) return next();
    if (origin !== undefined && !isOwnOrigin(origin, hosts)) throw foreign();
    if (c.req.header("sec-fetch-site") === "cross-site") throw foreign();
    await next();
  });
}

function isOwnOrigin(origin: string, hosts: ReadonlySet<string>): boolean {
  return URL.canParse(origin) && hosts.has(new URL(origin).host);
}

function foreign(): AetherError {
  return new AetherError("forbidden", "Web pages of other sites may not use this server.", {
    hint: "Use the aether command line, or a token.",
  });
}
