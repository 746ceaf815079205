import type { AuditView, WebhookView } from "../core/events.ts";
import type {
  AppLimitsRequest,
  AppView,
  ArtifactView,
  Capabilities,
  CompleteRequest,
  CompleteView,
  CreatedReleaseView,
  DeploymentRequest,
  DeploymentStatusView,
  DeploymentView,
  EnvironmentChangedView,
  EnvironmentRequest,
  ListedAppView,
  MultipartInitView,
  NewTokenView,
  PartReceipt,
  PartRequest,
  PartView,
  PresignRequest,
  PresignView,
  PublicKeyView,
  ReleaseView,
  RotatedTokenView,
  RotationRequest,
  ScaleView,
  TokenRequest,
  TokenView,
  VariableView,
} from "../core/wire.ts";
import { type ClientOptions, createOpen, type Timeouts } from "./client/open.ts";
import { type Call, createRequest, list, nothing } from "./client/request.ts";

export { isNotFound, isTransient, notAether, orNothing } from "./client/errors.ts";
export { isOfType } from "./client/request.ts";

const defaultTimeouts: Timeouts = { answerMs: 10_000, completeMs: 15_000 };

/** The slowest disk and link that a server is expected to hash an artifact at. */
const hashedBytesPerMs = 20_000;

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
    variables: (app: string, reveal: boolean) =>
      get<VariableView[]>(`${appPath(app)}/env${reveal ? "?reveal=1" : ""}`, list),
    changeEnvironment: (app: string, body: EnvironmentRequest) =>
      post<EnvironmentChangedView>(`${appPath(app)}/env`, body, { method: "PATCH", answers: "variables" }),
    releases: (app: string, limit: number) => get<ReleaseView[]>(`${appPath(app)}/releases?limit=${limit}`, list),
    rollBack: (app: string, body: { version?: number; force?: boolean }) =>
      post<CreatedReleaseView>(`${appPath(app)}/rollback`, body, { answers: "id", key: crypto.randomUUID() }),
    restart: (app: string) =>
      post<CreatedReleaseView>(`${appPath(app)}/restart`, {}, { answers: "id", key: crypto.randomUUID() }),
    scale: (app: string, replicas: number) =>
      post<ScaleView>(`${appPath(app)}/scale`, { replicas }, { answers: "replicas" }),
    lock: (app: string, reason: string) =>
      post<AppView>(`${appPath(app)}/lock`, { reason }, { method: "PUT", answers: "locked" }),
    unlock: async (app: string) =>
      (await request({
        method: "DELETE",
        path: `${appPath(app)}/lock`,
        answers: "locked",
        timeoutMs: answerMs,
      })) as AppView,
    publicKeys: (app: string) => everyPage((page) => get<PublicKeyView[]>(`${appPath(app)}/public-keys?${page}`, list)),
    addPublicKey: (app: string, public_key_hex: string) =>
      post<PublicKeyView>(`${appPath(app)}/public-keys`, { public_key_hex }, { answers: "public_key_hex" }),
    revokePublicKey: (app: string, hex: string) => remove(`${appPath(app)}/public-keys/${hex}`),
    artifacts: (app?: string) => everyPage((page) => get<ArtifactView[]>(`/artifacts${appQuery(app, page)}`, list)),
    /** The newest of those whose digest begins so: enough to tell whether there is more than one. */
    artifactsLike: (prefix: string, app?: string) =>
      get<ArtifactView[]>(`/artifacts${appQuery(app, `digest_prefix=${prefix}&limit=100`)}`, list),
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
