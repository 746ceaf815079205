import { AetherError, type FailureCode } from "../lib/errors.ts";

/** What went wrong between us and the API server. */
export type ClusterProblem = keyof typeof codes;

// 401 and 403 of the cluster are about the server's credentials, never about those of who asks us.
const codes = {
  /** The kubeconfig or its context is missing or makes no sense. */
  config: "config_invalid",
  /** The exec credential plugin is missing or failed. */
  plugin: "config_invalid",
  unreachable: "unreachable",
  timeout: "unreachable",
  /** Its certificate is not trusted, expired, or of another name. */
  untrusted: "unreachable",
  unauthorized: "service_unavailable",
  /** Our credentials may not do that. */
  forbidden: "service_unavailable",
  not_found: "not_found",
  conflict: "conflict",
  already_exists: "conflict",
  /** 410, or a resourceVersion the server does not know: list again. */
  expired: "service_unavailable",
  /** The object breaks the rules of its kind (422, 400). */
  invalid: "bad_request",
  /** Quota, Pod Security, a webhook, or the namespace is ending. */
  denied: "forbidden",
  overloaded: "service_unavailable",
  failed: "service_unavailable",
} as const satisfies Record<string, FailureCode>;

export interface ClusterErrorOptions extends ErrorOptions {
  hint?: string | undefined;
  /** The HTTP status, when the API server answered. */
  httpStatus?: number;
  /** The API server's own word, such as `NotFound`. */
  reason?: string | undefined;
  /** What it names beneath, such as `NamespaceTerminating`. */
  causes?: string[];
  /** What the API server asked for by Retry-After. */
  retryAfterMs?: number | undefined;
}

/** A call to Kubernetes that failed in a way a person or the driver can act on. */
export class ClusterError extends AetherError {
  readonly problem: ClusterProblem;
  readonly httpStatus: number | undefined;
  readonly reason: string | undefined;
  readonly causes: string[];
  readonly retryAfterMs: number | undefined;

  constructor(problem: ClusterProblem, message: string, options: ClusterErrorOptions = {}) {
    super(codes[problem], message, options);
    this.problem = problem;
    this.httpStatus = options.httpStatus;
    this.reason = options.reason;
    this.causes = options.causes ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether that is a failed call to Kubernetes, of this problem when one is given. */
export function isClusterError(error: unknown, problem?: ClusterProblem): error is ClusterError {
  return error instanceof ClusterError && (problem === undefined || error.problem === problem);
}
