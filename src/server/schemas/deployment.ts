import { z } from "@hono/zod-openapi";
import type { NamedDeployment, ReplicaStatus } from "../../control/deployments.ts";
import type { Reload } from "../../core/agent-report.ts";
import { deploymentStatuses, type FailureReason, failureReasons } from "../../core/deployment.ts";
import { refreshFailures } from "../../core/hot-markers.ts";
import { type StageTimings, toTimings } from "../../core/replica-stages.ts";
import type { DeploymentStatusView, DeploymentView, ReplicaView } from "../../core/wire.ts";
import { artifactKey } from "../../storage/storage.ts";
import { anyDigest, appName, digest, idempotencyKey, signature, time } from "./fields.ts";

export const deploymentParam = z.object({
  id: z.string().openapi({ format: "uuid", param: { name: "id", in: "path" } }),
});

const amount = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,9})?(m|[kKMGT]i?)?$/, 'it must be an amount such as "500m" or "256Mi"')
  .openapi({ description: "In Kubernetes' units", example: "256Mi" });

export const appConfig = z
  .object({
    start: z.string().min(1).max(10_000),
    port: z.number().int().min(1).max(65535).optional(),
    node: z.string().max(200).optional(),
    health: z.object({ path: z.string().regex(/^\//, "it must start with /").max(2_000) }).optional(),
    resources: z.object({ cpu: amount.optional(), memory: amount.optional() }).optional(),
  })
  .openapi("AppConfig");

export const newDeployment = z
  .object({
    app_name: appName,
    digest: anyDigest.optional(),
    artifact_url: z.string().optional(),
    config: appConfig.optional(),
    replicas: z.number().int().min(1).max(100).optional(),
    signature: signature.optional(),
    rollback_on_failure: z
      .boolean()
      .optional()
      .openapi({ description: "Should it fail, the app's variables become again those of what runs" }),
    dev_hot: z
      .boolean()
      .optional()
      .openapi({ description: "For development: later digests are loaded into its replicas while they run" }),
    idempotency_key: idempotencyKey.optional(),
  })
  .openapi("NewDeployment", { anyOf: [{ required: ["digest"] }, { required: ["artifact_url"] }] });

export const createdDeployment = z.object({ id: z.uuid(), status: z.enum(deploymentStatuses), version: z.number() });

const fields = {
  id: z.uuid(),
  app_id: z.uuid(),
  app: appName,
  version: z.number(),
  digest,
  artifact_url: z.string(),
  status: z.enum(deploymentStatuses),
  failure_reason: z.enum(failureReasons).nullable(),
  failure_message: z.string().nullable(),
  failure_log: z.array(z.string()).nullable(),
  signature: z.string().nullable(),
  dev_hot: z.boolean(),
  config: appConfig.nullable(),
  url: z.string().nullable(),
  created_at: time,
  running_at: time.nullable().openapi({ description: "When it first answered; null when it never did" }),
  last_transition_at: time,
};

const stageMs = (what: string) => z.number().int().min(0).optional().openapi({ description: what });

const stageTimings = z
  .object({
    schedule_ms: stageMs("Until it had its place: a node, or a port of this machine"),
    boot_ms: stageMs(
      "From there until its agent began; on Kubernetes the sandbox, the volumes, the image, and the kubelet's word of it",
    ),
    fetch_ms: stageMs("Downloading the release and comparing its SHA-256, by the agent's own clock"),
    unpack_ms: stageMs("Unpacking it, by the agent's own clock; absent where it lay there already"),
    ready_ms: stageMs("From the application's start until it answered"),
  })
  .openapi("StageTimings", {
    description:
      "How long a replica's start took. On Kubernetes all but fetch and unpack are as this server's watch saw the pod change, " +
      "and absent where it was not watching at that time",
  }) satisfies z.ZodType<StageTimings>;

const reloadView = z
  .object({
    digest,
    outcome: z.enum(["ok", "fail"]),
    reason: z.enum(refreshFailures).optional(),
    message: z.string().optional(),
    ms: z.number().openapi({ description: "From the moment the digest was seen" }),
    at: z.string().openapi({ description: "By the replica's own clock", format: "date-time" }),
  })
  .openapi("Reload", {
    description:
      "What a replica of a dev-hot release said last of a digest that it was to load; absent where it said nothing",
  }) satisfies z.ZodType<Reload>;

const replicaView = z.object({
  name: z.string(),
  digest,
  version: z.number(),
  state: z.string(),
  restarts: z.number(),
  since: time,
  timings: stageTimings.optional(),
  reload: reloadView.optional(),
  failure_reason: z.enum(failureReasons).nullable(),
  failure_message: z.string().nullable().openapi({ description: "Why it did not answer when it was tried last" }),
});

export const deploymentView = z.object(fields).openapi("Deployment") satisfies z.ZodType<DeploymentView>;
export const deploymentStatusView = z
  .object({
    ...fields,
    wanted_replicas: z
      .number()
      .openapi({ description: "How many of it there ought to be: the app's scale, else its own" }),
    replicas: z.array(replicaView),
  })
  .openapi("DeploymentStatus") satisfies z.ZodType<DeploymentStatusView>;

/** A replica as the API shows it. */
export function toReplicaView({ failure, stages, ...status }: ReplicaStatus): ReplicaView {
  const timings = stages && { timings: toTimings(stages) };
  return { ...status, ...timings, failure_reason: failure?.reason ?? null, failure_message: failure?.message ?? null };
}

/** A row as the API shows it; `url` is where its runtime routes to it. */
export function toDeploymentView({ app, deployment }: NamedDeployment, url: string | undefined): DeploymentView {
  return {
    id: deployment.id,
    app_id: deployment.appId,
    app,
    version: deployment.version,
    digest: deployment.digest,
    artifact_url: artifactKey(app, deployment.digest),
    status: deployment.status,
    failure_reason: deployment.failureReason as FailureReason | null,
    failure_message: deployment.failureMessage,
    failure_log: deployment.failureLog,
    signature: deployment.signature,
    dev_hot: deployment.devHot,
    config: deployment.config,
    url: url ?? null,
    created_at: deployment.createdAt.toISOString(),
    running_at: deployment.runningAt?.toISOString() ?? null,
    last_transition_at: deployment.lastTransitionAt.toISOString(),
  };
}
