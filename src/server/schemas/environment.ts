import { z } from "@hono/zod-openapi";
import type { ListedVariable } from "../../control/app-variables.ts";
import type { EnvironmentChanged } from "../../control/environment.ts";
import { deploymentStatuses } from "../../core/deployment.ts";
import type { EnvironmentChangedView, VariableView } from "../../core/wire.ts";
import { time } from "./fields.ts";

/** `?reveal=1`. */
export const revealQuery = z.object({ reveal: z.enum(["0", "1"]).default("0") });

const values = z.record(z.string(), z.string());
const options = {
  deploy: z
    .boolean()
    .default(true)
    .openapi({ description: "Release what runs again with them; false: the next release gets them" }),
  rollback_on_failure: z
    .boolean()
    .default(false)
    .openapi({ description: "Should that release fail, the variables become again what they were" }),
};

export const changedEnvironment = z
  .strictObject({ set: values.default({}), unset: z.array(z.string()).max(1_000).default([]), ...options })
  .openapi("ChangedEnvironment");
export const newEnvironment = z.strictObject({ set: values, ...options }).openapi("NewEnvironment");

export const variableView = z
  .object({
    name: z.string(),
    value: z.string().nullable().openapi({ description: "Null unless it was asked for with reveal" }),
    updated_at: time,
    updated_by: z.string(),
  })
  .openapi("Variable") satisfies z.ZodType<VariableView>;

export const environmentChanged = z
  .object({
    variables: z.array(z.string()).openapi({ description: "The names that the app has now" }),
    deployment: z
      .object({ id: z.uuid(), version: z.number(), status: z.enum(deploymentStatuses) })
      .nullable()
      .openapi({ description: "The release that has them; null when nothing runs, or none was asked for" }),
  })
  .openapi("EnvironmentChanged") satisfies z.ZodType<EnvironmentChangedView>;

/** A variable as the API shows it. */
export const toVariableView = ({ name, value, updatedAt, updatedBy }: ListedVariable): VariableView => ({
  name,
  value,
  updated_at: updatedAt.toISOString(),
  updated_by: updatedBy,
});

/** What a change came to. */
export function toEnvironmentChanged({ names, deployment }: EnvironmentChanged): EnvironmentChangedView {
  if (deployment === null) return { variables: names, deployment: null };
  const { id, version, status } = deployment;
  return { variables: names, deployment: { id, version, status } };
}
