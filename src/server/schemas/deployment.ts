import { z } from "@hono/zod-openapi";
import type { NamedDeployment } from "../../control/deployments.ts";
import { deploymentStatuses, type FailureReason, failureReasons } from "../../core/deployment.ts";
import type { DeploymentStatusView, DeploymentView } from "../../core/wire.ts";
import { artifactKey } from "../../storage/storage.ts";

export const deploymentParam = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) });

const appConfig = z
  .object({
    start: z.string().min(1).max(10_000),
    port: z.number().int().min(1).max(65535).optional(),
    node: z.string().max(200).optional(),
    health: z.object({ path: z.string().startsWith("/").max(2_000) }).optional(),
  })
  .openapi("AppConfig");

export const newDeployment = z
  .object({
    app_name: z.string(),
    digest: z.string().optional(),
    artifact_url: z.string().optional(),
    config: appConfig.optional(),
    replicas: z.number().int().min(1).max(100).optional(),
    signature: z.string().optional(),
    idempotency_key: z.string().max(255).optional(),
  })
  .openapi("NewDeployment");

export const createdDeployment = z.object({ id: z.string(), status: z.enum(deploymentStatuses), version: z.number() });

const fields = {
  id: z.string(),
  app_id: z.string(),
  app: z.string(),
  version: z.number(),
  digest: z.string(),
  artifact_url: z.string(),
  status: z.enum(deploymentStatuses),
  failure_reason: z.enum(failureReasons).nullable(),
  failure_message: z.string().nullable(),
  failure_log: z.array(z.string()).nullable(),
  signature: z.string().nullable(),
  url: z.string().nullable(),
  created_at: z.string(),
  last_transition_at: z.string(),
};

const replicaView = z.object({
  name: z.string(),
  digest: z.string(),
  version: z.number(),
  state: z.string(),
  restarts: z.number(),
  since: z.string(),
});

export const deploymentView = z.object(fields).openapi("Deployment") satisfies z.ZodType<DeploymentView>;
export const deploymentStatusView = z
  .object({ ...fields, replicas: z.array(replicaView) })
  .openapi("DeploymentStatus") satisfies z.ZodType<DeploymentStatusView>;

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
    signature: null,
    url: url ?? null,
    created_at: deployment.createdAt.toISOString(),
    last_transition_at: deployment.lastTransitionAt.toISOString(),
  };
}
