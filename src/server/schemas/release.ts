import { z } from "@hono/zod-openapi";
import type { ListedRelease } from "../../control/releases.ts";
import { deploymentStatuses } from "../../core/deployment.ts";
import type { CreatedReleaseView, ReleaseView, ScaleView } from "../../core/wire.ts";
import { deploymentView, toDeploymentView } from "./deployment.ts";
import { appName } from "./fields.ts";

const version = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1);
export const wantedReplicas = z.number().int().min(0).max(100);

export const rollbackRequest = z
  .strictObject({ version: version.optional(), force: z.boolean().optional() })
  .openapi("Rollback");
export const restartRequest = z.strictObject({}).openapi("Restart");
export const scaleRequest = z.strictObject({ replicas: wantedReplicas }).openapi("Scale");

export const createdRelease = z
  .object({
    id: z.uuid(),
    status: z.enum(deploymentStatuses),
    version,
    origin_version: version.nullable().openapi({ description: "The version that it restores" }),
  })
  .openapi("CreatedRelease") satisfies z.ZodType<CreatedReleaseView>;

export const scaleView = z
  .object({ app: appName, replicas: wantedReplicas, deployment_id: z.uuid().nullable() })
  .openapi("Scaled") satisfies z.ZodType<ScaleView>;

const names = z.array(z.string());

export const releaseView = deploymentView
  .extend({
    origin: z.string().openapi({ description: "What made it: deploy, rollback, env, restart" }),
    origin_version: version.nullable(),
    created_by: z.string().nullable(),
    replicas: z.number().openapi({ description: "Of its own configuration; the app's scale goes before it" }),
    variables: names.nullable().openapi({ description: "Names; null when this server's keys do not open them" }),
    changed_variables: names.nullable().openapi({ description: "Those that differ from the version before" }),
  })
  .openapi("Release") satisfies z.ZodType<ReleaseView>;

/** A row as the API shows it; `url` is where its runtime routes to it. */
export function toReleaseView(release: ListedRelease, url: string | undefined): ReleaseView {
  const { deployment } = release;
  return {
    ...toDeploymentView(release, url),
    origin: deployment.origin,
    origin_version: deployment.originVersion,
    created_by: deployment.createdBy,
    replicas: deployment.replicas,
    variables: release.variables,
    changed_variables: release.changedVariables,
  };
}
