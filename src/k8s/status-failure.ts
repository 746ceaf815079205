import { z } from "zod";
import { ClusterError, type ClusterProblem } from "./cluster-error.ts";

const statusBody = z.object({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z
    .object({
      causes: z.array(z.object({ reason: z.string().optional() })).optional(),
      retryAfterSeconds: z.number().optional(),
    })
    .optional(),
});

type StatusBody = z.output<typeof statusBody>;

/** What the API server's refusal means. `doing` is what was tried, as `list pods in "shop"`. */
export function statusFailure(answer: { status: number; body: unknown; retryAfter?: string | null }, doing: string) {
  const status = statusBody.safeParse(answer.body).data ?? {};
  const problem = problemOf(answer.status, status);
  const said = (status.message ?? "").trim().replace(/\.$/, "");
  return new ClusterError(problem, `Kubernetes would not ${doing}: ${said || `HTTP ${answer.status}`}.`, {
    httpStatus: answer.status,
    hint: hintFor(problem, said),
    reason: status.reason,
    causes: (status.details?.causes ?? []).flatMap((cause) => cause.reason ?? []),
    retryAfterMs: retryAfterMs(answer.retryAfter, status),
  });
}

function problemOf(httpStatus: number, status: StatusBody): ClusterProblem {
  const said = status.message ?? "";
  // A field that does not exist, in an apply: answered as 500.
  if (said.startsWith("failed to create typed patch object")) return "invalid";
  if (/admission webhook .* denied the request/.test(said)) return "denied";
  switch (httpStatus) {
    case 401:
      return "unauthorized";
    case 403:
      // RBAC and admission answer alike but for the words; those of RBAC have stood since it exists.
      return / cannot \S+ (resource|path) /.test(said) ? "forbidden" : "denied";
    case 404:
      return "not_found";
    case 409:
      return status.reason === "AlreadyExists" ? "already_exists" : "conflict";
    case 410:
      return "expired";
    case 400:
    case 413:
    case 415:
    case 422:
      return "invalid";
    case 429:
      return "overloaded";
    default:
      // A resourceVersion from the future: the cluster was restored from a backup.
      return hasCause(status, "ResourceVersionTooLarge") ? "expired" : "failed";
  }
}

const hasCause = (status: StatusBody, reason: string): boolean =>
  (status.details?.causes ?? []).some((cause) => cause.reason === reason);

function hintFor(problem: ClusterProblem, said: string): string | undefined {
  if (problem === "unauthorized") {
    return "The credentials of the kubeconfig are not, or no longer, accepted: renew them, or choose another context.";
  }
  if (problem === "forbidden") {
    const [, verb, resource, group] = / cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?/.exec(said) ?? [];
    const what = resource ? `${verb} on ${resource}${group ? ` of ${group}` : ""}` : "that";
    return `Give the account of this server a Role that allows ${what}; \`kubectl auth can-i\` shows what it may.`;
  }
  if (problem === "overloaded") return "The API server is overloaded, or limits this client; it is tried again.";
  return undefined;
}

function retryAfterMs(header: string | null | undefined, status: StatusBody): number | undefined {
  const seconds = Number(header ?? status.details?.retryAfterSeconds ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}
