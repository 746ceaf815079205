import type { Reload } from "./agent-report.ts";
import type { AppConfig } from "./app-config.ts";
import type { DeploymentStatus, FailureReason } from "./deployment.ts";
import type { Digest } from "./digest.ts";
import type { StageTimings } from "./replica-stages.ts";
import type { Role } from "./roles.ts";

// The bodies of the HTTP API (design section 4), shared by the server's schemas and the command line's client.

/** An app in a list, with its newest deployment. */
export interface ListedAppView extends AppView {
  deployment: {
    id: string;
    version: number;
    status: DeploymentStatus;
    digest: Digest;
    /** Why it failed, or why it does not answer although it ought to run. */
    failure_reason: FailureReason | null;
  } | null;
}

export interface AppView {
  id: string;
  name: string;
  /** Where people reach it, null when nothing routes to it. */
  url: string | null;
  created_at: string;
  /** What replaces the server's quotas and retention; null is the server's own. */
  max_artifacts: number | null;
  max_total_bytes: number | null;
  retain_latest: number | null;
  retain_max_age_secs: number | null;
  /** What it was scaled to; null is each release's own number. */
  replicas: number | null;
  locked: { reason: string; by: string; at: string } | null;
}

/** What is changed of an app; null takes the server's own again. */
export interface AppLimitsRequest {
  max_artifacts?: number | null | undefined;
  max_total_bytes?: number | null | undefined;
  retain_latest?: number | null | undefined;
  retain_max_age_secs?: number | null | undefined;
}

export interface Capabilities {
  version: string;
  commit: string;
  /** The oldest command line that this server understands. */
  oldest_client: string;
  runtime: { kind: string; os: string; arch: string; libc: string; node: string | null };
  limits: {
    max_artifact_size_bytes: number;
    multipart_threshold_bytes: number;
    multipart_part_size_bytes: number;
  };
  features: string[];
}

export interface PresignRequest {
  app_name: string;
  digest: Digest;
  size_bytes?: number;
  /** Present: it must be this app, which is not created then. */
  app_id?: string;
}

/** `NONE`: the artifact is stored already. `headers` is every header to send, verbatim. */
export interface PresignView {
  app_id: string;
  upload_url: string | null;
  storage_key: string;
  method: "PUT" | "NONE";
  headers: Record<string, string>;
}

export interface CompleteRequest {
  app_name: string;
  digest: Digest;
  size_bytes: number;
  signature?: string;
  idempotency_key?: string;
}

export interface CompleteView {
  artifact_id: string;
  digest: Digest;
  duplicate: boolean;
  verified: boolean;
  storage_key: string;
  status: "stored";
  idempotency_key: string | null;
}

export interface MultipartInitView {
  app_id: string;
  upload_id: string;
  storage_key: string;
  /** What the store holds of an upload under way. */
  parts: HeldPart[];
}

export interface HeldPart extends PartReceipt {
  size_bytes: number;
}

/** `size_bytes` is the part's own length, to which the URL is bound. */
export interface PartRequest {
  app_name: string;
  digest: Digest;
  upload_id: string;
  part_number: number;
  size_bytes?: number;
}

export interface PartView {
  url: string;
  method: "PUT";
  headers: Record<string, string>;
}

export interface PartReceipt {
  part_number: number;
  etag: string;
}

export interface LegacyUploadView {
  artifact_url: string;
  digest: Digest;
  duplicate: boolean;
  app_linked: boolean;
  verified: boolean;
}

export interface ArtifactView {
  id: string;
  app: string;
  digest: Digest;
  size_bytes: number;
  status: "stored";
  verified: boolean;
  /** The stored bytes were hashed again by the server. */
  hashed: boolean;
  storage_key: string;
  signature: string | null;
  /** The public key that the signature was verified with; `verified` says whether it is active now. */
  signed_by: string | null;
  created_at: string;
  completed_at: string;
}

/** A key whose signatures count for an app while it is active. */
export interface PublicKeyView {
  app_id: string;
  public_key_hex: string;
  active: boolean;
  created_at: string;
  revoked_at: string | null;
}

export interface DeploymentRequest {
  app_name: string;
  digest?: string;
  artifact_url?: string;
  config?: AppConfig;
  replicas?: number;
  signature?: string;
  dev_hot?: boolean;
  rollback_on_failure?: boolean;
}

/** A deployment that was made of another one. */
export interface CreatedReleaseView {
  id: string;
  status: DeploymentStatus;
  version: number;
  origin_version: number | null;
}

export interface ReleaseView extends DeploymentView {
  origin: string;
  origin_version: number | null;
  created_by: string | null;
  replicas: number;
  /** Names. */
  variables: string[] | null;
  changed_variables: string[] | null;
}

export interface ScaleView {
  app: string;
  replicas: number;
  deployment_id: string | null;
}

export interface VariableView {
  name: string;
  value: string | null;
  updated_at: string;
  updated_by: string;
}

export interface EnvironmentRequest {
  set?: Record<string, string>;
  unset?: string[];
  deploy?: boolean;
  rollback_on_failure?: boolean;
}

export interface EnvironmentChangedView {
  variables: string[];
  deployment: { id: string; version: number; status: DeploymentStatus } | null;
}

export interface ReplicaView {
  name: string;
  digest: Digest;
  version: number;
  state: string;
  restarts: number;
  since: string;
  /** How long its start took, once it has answered; an older server does not say. */
  timings?: StageTimings | undefined;
  /** What it said last of a digest that it was to load; only of a dev-hot release. */
  reload?: Reload | undefined;
  /** Why it did not answer when it was tried last; null while it runs. */
  failure_reason: FailureReason | null;
  failure_message: string | null;
}

export interface DeploymentView {
  id: string;
  app_id: string;
  app: string;
  version: number;
  digest: Digest;
  artifact_url: string;
  status: DeploymentStatus;
  failure_reason: FailureReason | null;
  failure_message: string | null;
  failure_log: string[] | null;
  signature: string | null;
  /** Later digests are loaded into its replicas while they run. */
  dev_hot: boolean;
  config: AppConfig | null;
  url: string | null;
  created_at: string;
  /** When it first answered; null when it never did. */
  running_at: string | null;
  last_transition_at: string;
}

export interface DeploymentStatusView extends DeploymentView {
  /** How many of it there ought to be; an older server does not say. */
  wanted_replicas?: number;
  replicas: ReplicaView[];
}

export interface TokenView {
  id: string;
  name: string;
  role: Role;
  /** Null: all apps. */
  apps: string[] | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface TokenRequest {
  name: string;
  role: string;
  apps?: string[];
  expires_in_secs?: number;
}

export interface RotationRequest {
  overlap_secs?: number;
  expires_in_secs?: number;
}

/** `token` is shown this once. */
export interface NewTokenView extends TokenView {
  token: string;
}

/** `previous` goes on working until its `expires_at`. */
export interface RotatedTokenView extends NewTokenView {
  previous: TokenView;
}

/** Every error of the API. */
export interface ErrorView {
  code: string;
  message: string;
  hint?: string;
  request_id: string;
  /** `misconfigured`: to ask again is of no use before an operator has mended it. */
  reason?: string;
}

/** Why a server refuses what only its operator can make possible. */
export const misconfiguredReason = "misconfigured";
