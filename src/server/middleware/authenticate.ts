import { timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { type ApiToken, hashToken } from "../../config/tokens.ts";
import type { TokenLookup } from "../../control/token-lookup.ts";
import { type Token, tokenProblem } from "../../control/tokens.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Caller, ServerEnv } from "../context.ts";

/** What an agent of this server may ask: the bytes it was told to run, and nothing else. */
const agentPath = /^\/artifacts\/[0-9a-f]{64}\/download$/;
const anyone: Caller = { id: "anonymous", name: "anonymous", role: "admin", apps: undefined };
/** The name under which this server's own agents ask. */
export const agentName = "agent";

export interface AuthenticateOptions {
  tokens: ApiToken[];
  lookup: TokenLookup;
  required: boolean;
  /** Made anew by each start, and given to the agents that it starts. */
  agentToken: string;
}

/** Finds the caller by bearer token: one of the environment's, compared by hash in constant time, or of the database's. */
export function authenticate({ tokens, lookup, required, agentToken }: AuthenticateOptions) {
  const agent: ApiToken = { hash: hashToken(agentToken), role: "reader", name: agentName };
  return createMiddleware<ServerEnv>(async function authenticate(c, next) {
    const secret = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const accepted = agentPath.test(c.req.path) ? [...tokens, agent] : tokens;
    const configured = secret === undefined ? undefined : findConfigured(accepted, secret);
    const made = configured || secret === undefined ? undefined : await lookup.find(secret);
    const problem = made && tokenProblem(made, c.var.control.now());
    const caller = configured ?? (made && problem === undefined ? callerOf(made) : undefined);
    if (caller === undefined && required) {
      c.header("www-authenticate", "Bearer");
      throw new AetherError("unauthorized", `A valid token is needed${problem ? `: ${problem}` : "."}`, {
        hint: "Run aether login --token-stdin.",
      });
    }
    c.set("caller", caller ?? anyone);
    await next();
  });
}

function findConfigured(tokens: ApiToken[], secret: string): Caller | undefined {
  const hash = Buffer.from(hashToken(secret), "hex");
  const found = tokens.find((known) => timingSafeEqual(Buffer.from(known.hash, "hex"), hash));
  return found && { id: `env:${found.hash.slice(0, 12)}`, name: found.name, role: found.role, apps: undefined };
}

const callerOf = ({ id, name, role, apps }: Token): Caller => ({
  id: `token:${id}`,
  name,
  role,
  apps: apps ?? undefined,
});
