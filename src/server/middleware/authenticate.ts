import { timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { type ApiToken, hashToken } from "../../config/tokens.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Caller, ServerEnv } from "../context.ts";

/** What an agent of this server may ask: the bytes it was told to run, and nothing else. */
const agentPath = /^\/artifacts\/[0-9a-f]{64}\/download$/;
const anyone: Caller = { id: "anonymous", name: "anonymous", role: "admin", apps: undefined };
/** The name under which this server's own agents ask. */
export const agentName = "agent";

export interface AuthenticateOptions {
  tokens: ApiToken[];
  required: boolean;
  /** Made anew by each start, and given to the agents that it starts. */
  agentToken: string;
}

/** Finds the caller by bearer token. Tokens are compared by hash in constant time, and readers may only read. */
export function authenticate({ tokens, required, agentToken }: AuthenticateOptions) {
  const agent: ApiToken = { hash: hashToken(agentToken), role: "reader", name: agentName };
  return createMiddleware<ServerEnv>(async function authenticate(c, next) {
    const accepted = agentPath.test(c.req.path) ? [...tokens, agent] : tokens;
    const caller = findCaller(accepted, c.req.header("authorization"));
    if (caller === undefined && required) {
      c.header("www-authenticate", "Bearer");
      throw new AetherError("unauthorized", "A valid token is needed.", { hint: "Run aether login --token-stdin." });
    }
    const reads = c.req.method === "GET" || c.req.method === "HEAD";
    if (caller?.role === "reader" && !reads) {
      throw new AetherError("forbidden", "This token may only read.", {
        hint: "Use one with the role deployer or admin.",
      });
    }
    c.set("caller", caller ?? anyone);
    await next();
  });
}

function findCaller(tokens: ApiToken[], header: string | undefined): Caller | undefined {
  const token = /^Bearer (\S+)$/i.exec(header ?? "")?.[1];
  if (token === undefined) return undefined;
  const hash = Buffer.from(hashToken(token), "hex");
  const found = tokens.find((known) => timingSafeEqual(Buffer.from(known.hash, "hex"), hash));
  return found && { id: `env:${found.hash.slice(0, 12)}`, name: found.name, role: found.role, apps: undefined };
}
