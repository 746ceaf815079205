import type { AuditView, WebhookView } from "../core/events.ts";
import { version } from "../core/version.ts";
import type {
  AppLimitsRequest,
  AppView,
  ArtifactView,
  Capabilities,
  CompleteRequest,
  CompleteView,
  DeploymentRequest,
  DeploymentStatusView,
  DeploymentView,
  ListedAppView,
  MultipartInitView,
  NewTokenView,
  PartReceipt,
  PartRequest,
  PartView,
  PresignRequest,
  PresignView,
  PublicKeyView,
  RotatedTokenView,
  RotationRequest,
  TokenRequest,
  TokenView,
} from "../core/wire.ts";
import { AetherError, isFailureCode } from "../lib/errors.ts";
import { isTimeout } from "../lib/network-reason.ts";
import { retry } from "../lib/retry.ts";
import { askedDelayMs, isBusy, retryAfter } from "./retry-after.ts";

export interface ClientOptions {
  server: string;
  token?: string | undefined;
  signal: AbortSignal;
  /** Sends one request; a test passes its own. */
  fetch?: typeof fetch;
  /** How long one answer may take; hashing what was uploaded takes longer. */
  timeouts?: Timeouts;
  /** How long a server that is away or starting is asked again; without, a few times in two seconds. */
  patienceMs?: number;
}

export interface Timeouts {
  answerMs: number;
  completeMs: number;
}

const defaultTimeouts: Timeouts = { answerMs: 10_000, completeMs: 15_000 };

/** The slowest disk and link that a server is expected to hash an artifact at. */
const hashedBytesPerMs = 20_000;

/** One request as the client's methods describe it. */
interface Call {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  key?: string | undefined;
  timeoutMs: number;
  /** What is made anew each time must not be asked for twice. */
  once?: boolean;
  /** What the answer must be: a list, nothing, or an object with this key. */
  answers: string | typeof list | typeof nothing;
}

const list = Symbol("a list");
const nothing = Symbol("no body");

/** The server as typed calls. Requests that are safe to repeat are repeated when the network fails. */
export type Client = ReturnType<typeof createClient>;

/** A client of one server. */
export function createClient(options: ClientOptions) {
  const { answerMs, completeMs } = options.timeouts ?? defaultTimeouts;
  const request = createRequest(options);
  const get = async <T>(path: string, answers: Call["answers"]) =>
    (await request({ method: "GET", path, answers, timeoutMs: answerMs })) as T;
  const post = async <T>(path: string, body: unknown, more: Pick<Call, "answers"> & Partial<Call>) =>
    (await request({ method: "POST", path, body, timeoutMs: answerMs, ...more })) as T;
  const remove = async (path: string, timeoutMs = answerMs) =>
    void (await request({ method: "DELETE", path, answers: nothing, timeoutMs }));
  const hashing = ({ size_bytes }: CompleteRequest) => ({ timeoutMs: completeMs + size_bytes / hashedBytesPerMs });
  return {
    server: options.server,
    capabilities: () => get<Capabilities>("/capabilities", "limits"),
    apps: () => everyPage((page) => get<ListedAppView[]>(`/apps?${page}`, list)),
    app: (name: string) => get<AppView>(appPath(name), "id"),
    createApp: (name: string) => post<AppView>("/apps", { name }, { answers: "id", key: crypto.randomUUID() }),
    changeApp: (name: string, limits: AppLimitsRequest) =>
      post<AppView>(appPath(name), limits, { method: "PATCH", answers: "id" }),
    /** What runs gets its grace to end, and every artifact is removed: as long as the server takes at most. */
    deleteApp: (name: string) => remove(appPath(name), completeMs * 60),
    publicKeys: (app: string) => everyPage((page) => get<PublicKeyView[]>(`${appPath(app)}/public-keys?${page}`, list)),
    addPublicKey: (app: string, public_key_hex: string) =>
      post<PublicKeyView>(`${appPath(app)}/public-keys`, { public_key_hex }, { answers: "public_key_hex" }),
    revokePublicKey: (app: string, hex: string) => remove(`${appPath(app)}/public-keys/${hex}`),
    artifacts: (app?: string) => everyPage((page) => get<ArtifactView[]>(`/artifacts${appQuery(app, page)}`, list)),
    artifact: (digest: string, app?: string) => get<ArtifactView>(`/artifacts/${digest}${appQuery(app)}`, "digest"),
    deployments: (app: string, limit: number) =>
      get<DeploymentView[]>(`${appPath(app)}/deployments?limit=${limit}`, list),
    deployment: (id: string) => get<DeploymentStatusView>(`/deployments/${id}/status`, "replicas"),
    createDeployment: (body: DeploymentRequest, key: string) =>
      post<{ id: string; status: string; version: number }>("/deployments", body, { key, answers: "id" }),
    presign: (body: PresignRequest) => post<PresignView>("/artifacts/presign", body, { answers: "method" }),
    complete: (body: CompleteRequest) =>
      post<CompleteView>("/artifacts/complete", body, { answers: "artifact_id", ...hashing(body) }),
    startMultipart: (body: PresignRequest) =>
      post<MultipartInitView>("/artifacts/multipart/init", body, { answers: "upload_id" }),
    presignPart: (body: PartRequest) => post<PartView>("/artifacts/multipart/presign-part", body, { answers: "url" }),
    completeMultipart: (body: CompleteRequest & { upload_id: string; parts: PartReceipt[] }) =>
      post<CompleteView>("/artifacts/multipart/complete", body, { answers: "artifact_id", ...hashing(body) }),
    tokens: () => everyPage((page) => get<TokenView[]>(`/tokens?${page}`, list)),
    createToken: (body: TokenRequest) => post<NewTokenView>("/tokens", body, { answers: "token", once: true }),
    rotateToken: (id: string, body: RotationRequest) =>
      post<RotatedTokenView>(`/tokens/${encodeURIComponent(id)}/rotate`, body, { answers: "previous", once: true }),
    revokeToken: async (id: string) =>
      (await request({
        method: "DELETE",
        path: `/tokens/${encodeURIComponent(id)}`,
        answers: "revoked_at",
        timeoutMs: answerMs,
      })) as TokenView,
    audit: (query: URLSearchParams) => get<AuditView[]>(`/audit?${query}`, list),
    webhooks: () => everyPage((page) => get<WebhookView[]>(`/webhooks?${page}`, list)),
    createWebhook: (body: { url: string; secret: string; events: string[]; app?: string }) =>
      post<WebhookView>("/webhooks", body, { answers: "id", key: crypto.randomUUID() }),
    removeWebhook: (id: string) => remove(`/webhooks/${encodeURIComponent(id)}`),
    /** The open answer, for streams and raw bodies; an error answer is thrown. */
    open: createOpen(options),
  };
}

const appPath = (name: string): string => `/apps/${encodeURIComponent(name)}`;

function appQuery(app?: string, page?: string): string {
  const parts = [page, app === undefined ? undefined : `app=${encodeURIComponent(app)}`].filter(Boolean);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** All of a list that the server gives in pages. */
async function everyPage<T>(ask: (page: string) => Promise<T[]>): Promise<T[]> {
  const limit = 1000; // the most it gives
  const all: T[] = [];
  for (;;) {
    const page = await ask(`limit=${limit}&offset=${all.length}`);
    all.push(...page);
    if (page.length < limit) return all;
  }
}

/** Whoever is asked to come back later does so, when that is within this time. */
const busyPatienceMs = 60_000;

/** Sends a call; one that is refused because there were too many is sent again when the server asked for it. */
function createRequest(options: ClientOptions) {
  const send = createSend(options);
  return (call: Call): Promise<unknown> => {
    const patientUntil = performance.now() + busyPatienceMs;
    const delayMs = (error: unknown) => Math.max(askedDelayMs(error) ?? 0, 200); // never at once, whatever was asked
    return retry(() => send(call), {
      attempts: 1,
      patienceMs: busyPatienceMs,
      signal: options.signal,
      // What is transient was repeated already, and may have been done.
      shouldRetry: (error) =>
        isBusy(error) && !isTransient(error) && performance.now() + delayMs(error) <= patientUntil,
      askedDelayMs: delayMs,
    });
  };
}

/** Sends a call, and repeats it when the network fails or the server is away. */
function createSend(options: ClientOptions) {
  const open = createOpen(options);
  return ({ method, path, body, key, timeoutMs, answers, once = false }: Call): Promise<unknown> => {
    let timeouts = 0;
    // A lost answer may hide a done deed: POST is repeated only because every write here is idempotent or carries a key.
    return retry(
      async (attempt) => {
        const response = await open(path, {
          method,
          timeout: false, // the signal's holds, which may be longer
          headers: {
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(key === undefined ? {} : { "idempotency-key": key }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(Math.round(timeoutMs)),
        }).catch((error: unknown) => {
          // An earlier attempt removed it, and its answer was lost.
          if (method === "DELETE" && answers === nothing && attempt > 1 && isNotFound(error)) return undefined;
          throw error;
        });
        if (response === undefined || (answers === nothing && response.status === 204)) return undefined;
        const answer = await readJson(response, options);
        if (!hasShape(answer, answers)) throw notAether(options.server);
        return answer;
      },
      {
        attempts: once ? 1 : 4,
        ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
        signal: options.signal,
        // Who did not answer twice will not at the third time, and a person waits.
        shouldRetry: (error) => isTransient(error) && (!hasTimedOut(error) || ++timeouts < 2),
      },
    );
  };
}

async function readJson(response: Response, { server, signal }: ClientOptions): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw unreachable(server, error);
  });
  if (!isOfType(response, "application/json")) throw notAether(server);
  try {
    return JSON.parse(text);
  } catch {
    throw notAether(server);
  }
}

function hasShape(answer: unknown, expected: Call["answers"]): boolean {
  if (typeof expected !== "string") return Array.isArray(answer);
  return typeof answer === "object" && answer !== null && expected in answer;
}

/** Whether an answer says that it is of this media type. */
export function isOfType(response: Response, type: string): boolean {
  return response.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() === type;
}

/** Something answers at the address, and it is another program. */
export function notAether(server: string): AetherError {
  return new AetherError("unreachable", `${server} is not an aether server.`, {
    hint: "Check --server (AETHER_API_BASE): it names the API, not the address of an application.",
    details: { reason: notAetherReason },
  });
}

const notAetherReason = "not_an_aether_server";

/** A request; `timeout: false` is Bun's own, and turns off its five minutes: a stream may be silent for longer. */
type OpenInit = RequestInit & { timeout?: false };

function createOpen({ server, token, signal, fetch: send = fetch }: ClientOptions) {
  return async (path: string, init: OpenInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("user-agent", `aether/${version}`);
    headers.set("accept", headers.get("accept") ?? "application/json");
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const signals = init.signal ? AbortSignal.any([signal, init.signal]) : signal;
    const response = await send(`${server}${path}`, { ...init, headers, signal: signals, redirect: "manual" }).catch(
      (error: unknown) => {
        if (signal.aborted) throw signal.reason;
        throw unreachable(server, error);
      },
    );
    if (response.ok) return response;
    throw await toError(response, server, token !== undefined);
  };
}

/** Whether the same request may succeed a moment later. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof AetherError) || error.details.reason === notAetherReason) return false;
  return error.code === "unreachable" || error.code === "service_unavailable";
}

const isNotFound = (error: unknown): boolean => error instanceof AetherError && error.code === "not_found";

/** Whether a request was given up because no answer came. */
function hasTimedOut(error: unknown): boolean {
  return error instanceof AetherError && isTimeout(error.cause);
}

function unreachable(server: string, cause: unknown): AetherError {
  const timedOut = isTimeout(cause);
  const local = /\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(server);
  return new AetherError(
    "unreachable",
    `The server ${server} ${timedOut ? "did not answer in time" : "cannot be reached"}.`,
    {
      cause,
      hint: local
        ? "Start it with aether serve, or name another with --server."
        : "Check the address and your network.",
    },
  );
}

async function toError(response: Response, server: string, hasToken: boolean): Promise<AetherError> {
  const body: unknown = await response.json().catch(() => undefined);
  if (isErrorBody(body)) {
    const hint = response.status === 401 ? tokenHint(server, hasToken) : body.hint;
    const details = { request_id: body.request_id, ...retryAfter(response) };
    const code = isFailureCode(body.code) ? body.code : fallbackCode(response.status);
    return new AetherError(code, body.message, { hint, details });
  }
  if (!isGatewayTrouble(response.status)) return notAether(server);
  return new AetherError("service_unavailable", `${server} answered ${response.status}: what it stands for is away.`, {
    hint: "Check that --server names an aether server, and that it runs.",
  });
}

// A reverse proxy speaks for a server that restarts.
const isGatewayTrouble = (status: number): boolean => status === 502 || status === 503 || status === 504;

function tokenHint(server: string, hasToken: boolean): string {
  return `${hasToken ? "The token was refused" : "A token is needed"}: run aether login --server ${server} --token-stdin.`;
}

function fallbackCode(status: number) {
  if (status === 401) return "unauthorized";
  if (status === 404) return "not_found";
  if (isGatewayTrouble(status)) return "service_unavailable";
  return status >= 500 ? "internal" : "bad_request";
}

function isErrorBody(value: unknown): value is { code: string; message: string; hint?: string; request_id: unknown } {
  if (typeof value !== "object" || value === null || !("request_id" in value)) return false;
  return "code" in value && typeof value.code === "string" && "message" in value && typeof value.message === "string";
}
