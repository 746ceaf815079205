import { timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { type ApiToken, hashToken } from "../../config/tokens.ts";
import type { Control } from "../../control/control.ts";
import type { TokenLookup } from "../../control/token-lookup.ts";
import { type Token, tokenProblem } from "../../control/tokens.ts";
import type { IdentifyPod, PodIdentity } from "../../core/pod-identity.ts";
import { AetherError } from "../../lib/errors.ts";
import type { Caller, ServerEnv } from "../context.ts";
import { socketToken } from "../web-socket.ts";

/** What a pod may send: what became of a digest. */
const reportPath = "/agent/reports";
/** What an agent, of this server or in a pod, may ask: the bytes it was told to run, and nothing else. */
const agentPath = /^\/artifacts\/[0-9a-f]{64}\/download$/;
const anyone: Caller = { id: "anonymous", name: "anonymous", role: "admin", apps: undefined };
/** This server's own agents. */
const agent: Caller = { id: "agent", name: "agent", role: "reader", apps: undefined, runs: "own" };

export interface AuthenticateOptions {
  tokens: ApiToken[];
  lookup: TokenLookup;
  required: boolean;
  /** Made anew by each start, and given to the agents that it starts. */
  agentToken: string;
  /** Asked about a token that is none of ours, where a pod may ask. */
  identifyPod?: IdentifyPod | undefined;
}

/** Finds the caller by bearer token: one of the environment's, compared by hash in constant time, or of the database's. */
export function authenticate({ tokens, lookup, required, agentToken, identifyPod }: AuthenticateOptions) {
  const agentHash = hashToken(agentToken);
  return createMiddleware<ServerEnv>(async function authenticate(c, next) {
    const secret = /^Bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1] ?? socketToken(c);
    const hash = hashToken(secret ?? "");
    const mayBeAgent = c.req.method === "GET" && agentPath.test(c.req.path);
    const isAgent = mayBeAgent && equal(hash, agentHash);
    const configured = isAgent ? agent : findConfigured(tokens, hash);
    const made = configured || secret === undefined ? undefined : await lookup.find(secret);
    const problem = made && tokenProblem(made, c.var.control.now());
    const mayBePod = mayBeAgent || (c.req.method === "POST" && c.req.path === reportPath);
    const pod = mayBePod && !configured && !made && secret ? await identifyPod?.(secret) : undefined;
    const caller =
      configured ?? (pod && podCaller(pod)) ?? (made && problem === undefined ? callerOf(made) : undefined);
    if (caller === undefined && required) {
      c.header("www-authenticate", "Bearer");
      throw new AetherError("unauthorized", `A valid token is needed${problem ? `: ${problem}` : "."}`, {
        hint: "Run aether login --token-stdin.",
      });
    }
    c.set("caller", caller ?? anyone);
    c.set("isStillValid", made && caller && secret ? isValid(c.var.control, () => lookup.find(secret)) : undefined);
    await next();
  });
}

const isValid =
  ({ now }: Control, find: () => Promise<Token | undefined>) =>
  async (): Promise<boolean> => {
    const token = await find();
    return token !== undefined && tokenProblem(token, now()) === undefined;
  };

const equal = (one: string, other: string): boolean => timingSafeEqual(Buffer.from(one), Buffer.from(other));

function findConfigured(tokens: ApiToken[], hash: string): Caller | undefined {
  const found = tokens.find((known) => equal(known.hash, hash));
  return found && { id: `env:${found.hash.slice(0, 12)}`, name: found.name, role: found.role, apps: undefined };
}

/** Reads that app's artifacts, tells of itself, and no more, by the paths above. */
const podCaller = ({ app, pod }: PodIdentity): Caller => ({
  id: `pod:${app}`,
  name: `pod ${pod ?? app}`,
  role: "reader",
  apps: [app],
  runs: "pod",
  replica: pod,
});

const callerOf = ({ id, name, role, apps }: Token): Caller => ({
  id: `token:${id}`,
  name,
  role,
  apps: apps ?? undefined,
});
