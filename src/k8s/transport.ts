import { retry } from "../lib/retry.ts";
import type { ClusterAccess } from "./access.ts";
import { ClusterError } from "./cluster-error.ts";
import type { Identity } from "./credentials.ts";
import { networkFailure } from "./network-failure.ts";
import { statusFailure } from "./status-failure.ts";

export interface ApiRequest {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  /** For messages, as `list pods in "shop"`. */
  doing: string;
  /** It may be sent twice: what it does is the same. */
  isRepeatable?: boolean;
  /** Other than usual. */
  attempts?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface TransportOptions {
  /** How long a unary call, or the head of a stream, may take. */
  timeoutMs?: number;
  attempts?: number;
  firstDelayMs?: number;
}

/** HTTP to one API server, on Bun's `fetch`: client-node's own loses certificates under Bun. */
export interface Transport {
  readonly server: string;
  /** The JSON that is answered. */
  call<T>(request: ApiRequest): Promise<T>;
  /** An answer to be read as it comes, until `signal` ends it. Nothing is tried again. */
  open(request: ApiRequest & { signal: AbortSignal }): Promise<Response>;
}

// What asks for a longer wait is told to the caller instead.
const longestAskedMs = 10_000;

/** The transport for `access`; its credentials are shown, and renewed once when they are refused. */
export function createTransport(access: ClusterAccess, options: TransportOptions = {}): Transport {
  const { timeoutMs = 15_000, attempts = 4, firstDelayMs = 100 } = options;

  async function call<T>(request: ApiRequest): Promise<T> {
    const work = async () => {
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = request.signal ? AbortSignal.any([request.signal, timeout]) : timeout;
      const response = await send(access, request, signal);
      return (await read(response, access.server)) as T;
    };
    return await retry(named(work, request), {
      attempts: request.attempts ?? attempts,
      firstDelayMs,
      shouldRetry: (error) => isWorthRepeating(error, request.isRepeatable ?? false),
      askedDelayMs: (error) => (error instanceof ClusterError ? error.retryAfterMs : undefined),
      ...(request.signal ? { signal: request.signal } : {}),
    });
  }

  async function open(request: ApiRequest & { signal: AbortSignal }): Promise<Response> {
    const head = new AbortController();
    const timer = setTimeout(() => head.abort(new DOMException("no answer", "TimeoutError")), timeoutMs);
    try {
      return await named(() => send(access, request, AbortSignal.any([request.signal, head.signal])), request)();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Failures of the network get their name; the end that the caller asked for stays what it is. */
  const named =
    <T>(work: () => Promise<T>, request: ApiRequest) =>
    async (): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (request.signal?.aborted) throw request.signal.reason;
        throw error instanceof ClusterError ? error : networkFailure(error, access.server);
      }
    };

  return { server: access.server, call, open };
}

async function send(access: ClusterAccess, request: ApiRequest, signal: AbortSignal): Promise<Response> {
  const identity = await access.credentials.current();
  const response = await sendAs(identity, access, request, signal);
  if (response.status !== 401 || !(await access.credentials.renew(identity))) return await accepted(response, request);
  await response.body?.cancel();
  return await accepted(await sendAs(await access.credentials.current(), access, request, signal), request);
}

async function sendAs(identity: Identity, access: ClusterAccess, request: ApiRequest, signal: AbortSignal) {
  const { method, path, query = {}, body, contentType = "application/json" } = request;
  const url = new URL(access.server + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return await fetch(url, {
    method,
    headers: {
      accept: "application/json",
      "user-agent": "aether",
      ...(body === undefined ? {} : { "content-type": contentType }),
      ...(identity.authorization ? { authorization: identity.authorization } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
    redirect: "error", // it would carry our credentials elsewhere
    ...(access.proxyUrl ? { proxy: access.proxyUrl } : {}),
    tls: {
      ...(access.ca ? { ca: await access.ca.read() } : {}),
      ...(identity.cert ? { cert: identity.cert } : {}),
      ...(identity.key ? { key: identity.key } : {}),
      ...(access.tlsServerName ? { serverName: access.tlsServerName } : {}),
      rejectUnauthorized: !access.isInsecure,
    },
    timeout: false, // Bun ends a silent answer after five minutes; who reads a stream decides that
  } as RequestInit);
}

async function accepted(response: Response, request: ApiRequest): Promise<Response> {
  if (response.ok) return response;
  const body = await response.text();
  const retryAfter = response.headers.get("retry-after");
  throw statusFailure(
    { status: response.status, body: parseJson(body) ?? { message: body.slice(0, 300) }, retryAfter },
    request.doing,
  );
}

async function read(response: Response, server: string): Promise<unknown> {
  const text = await response.text();
  const parsed = parseJson(text);
  if (parsed !== undefined) return parsed;
  throw new ClusterError("failed", `What answers at ${server} is no Kubernetes API server, or was cut off.`, {
    httpStatus: response.status,
    hint: "Check the server's address in the kubeconfig.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // said by who asked, who knows what it means
  }
}

function isWorthRepeating(error: unknown, isRepeatable: boolean): boolean {
  if (!(error instanceof ClusterError) || (error.retryAfterMs ?? 0) > longestAskedMs) return false;
  if (error.problem === "overloaded") return true; // it was turned away unread
  return (
    isRepeatable && (error.problem === "unreachable" || (error.problem === "failed" && (error.httpStatus ?? 0) >= 500))
  );
}
