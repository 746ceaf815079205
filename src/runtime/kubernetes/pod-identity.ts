import { createHash } from "node:crypto";
import type { V1TokenReview } from "@kubernetes/client-node";
import { appNameProblem } from "../../core/app-name.ts";
import { tokenAudience } from "../../core/pod-agent.ts";
import { appOfServiceAccount, type IdentifyPod, type PodIdentity } from "../../core/pod-identity.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import { AetherError } from "../../lib/errors.ts";

export interface PodIdentityOptions {
  cluster: Pick<Cluster, "create" | "server">;
  /** Where applications run: a pod of any other namespace is nobody. */
  namespace: string;
  /** Milliseconds that only go up. */
  clock?: () => number;
}

const keptMs = 60_000;
const refusalKeptMs = 5_000;
const capacity = 10_000;
/** A projected token has about 1,200 characters. */
const maxLength = 8_192;

/** Asks the API server whose a token is, and remembers the answer for a minute. */
export function createPodIdentity({
  cluster,
  namespace,
  clock = () => performance.now(),
}: PodIdentityOptions): IdentifyPod {
  const kept = new Map<string, { until: number; answer: Promise<PodIdentity | undefined> }>();

  async function review(token: string): Promise<PodIdentity | undefined> {
    const answer = await cluster
      .create<V1TokenReview>({
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences: [tokenAudience] },
      })
      .catch((cause: unknown) => {
        throw new AetherError("service_unavailable", `${cluster.server} cannot be asked whose a pod's token is.`, {
          cause,
          hint: "The pod will ask again.",
        });
      });
    return identityIn(answer.status ?? {}, namespace);
  }

  return async function identifyPod(token) {
    if (!mayBeOurs(token, namespace)) return undefined;
    const key = createHash("sha256").update(token).digest("base64url");
    const known = kept.get(key);
    if (known && known.until > clock()) return known.answer;
    const entry = { until: clock() + keptMs, answer: review(token) };
    kept.delete(key);
    kept.set(key, entry);
    if (kept.size > capacity) kept.delete(kept.keys().next().value ?? "");
    try {
      const identity = await entry.answer;
      if (identity === undefined) entry.until = clock() + refusalKeptMs;
      return identity;
    } catch (error) {
      if (kept.get(key) === entry) kept.delete(key);
      throw error;
    }
  };
}

/** A server that knows no audiences answers for its own: the one that was asked for has to come back. */
function identityIn({ authenticated, audiences, user }: Review, namespace: string): PodIdentity | undefined {
  if (authenticated !== true || !audiences?.includes(tokenAudience)) return undefined;
  const app = appIn(user?.username, namespace);
  if (app === undefined) return undefined;
  return { app, pod: user?.extra?.["authentication.kubernetes.io/pod-name"]?.[0] };
}

interface Review {
  authenticated?: boolean | undefined;
  audiences?: string[] | undefined;
  user?: { username?: string | undefined; extra?: { [key: string]: string[] } | undefined } | undefined;
}

function appIn(username: unknown, namespace: string): string | undefined {
  const prefix = `system:serviceaccount:${namespace}:`;
  if (typeof username !== "string" || !username.startsWith(prefix)) return undefined;
  const app = appOfServiceAccount(username.slice(prefix.length));
  return app !== undefined && appNameProblem(app) === undefined ? app : undefined;
}

/**
 * What a token says of itself proves nothing, but what says nothing of the kind is not sent on: neither another's secret
 * that came here by mistake, nor a flood of anything.
 */
function mayBeOurs(token: string, namespace: string): boolean {
  if (token.length > maxLength) return false;
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    if (typeof claims !== "object" || claims === null || !("sub" in claims)) return false;
    return appIn(claims.sub, namespace) !== undefined;
  } catch {
    return false; // no JSON Web Token
  }
}
