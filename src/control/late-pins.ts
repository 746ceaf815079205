import { eq, sql } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import type { Control } from "./control.ts";
import type { WantedDeployment } from "./deployments.ts";

/**
 * What the runtime keeps with a release. One that was made under another runtime has nothing yet: it is pinned by the one that
 * runs it first, once, or each start of a server would pin it anew, and roll it.
 */
export async function pinsOf(
  { db, runtime }: Control,
  { app, deployment, replicas }: WantedDeployment,
): Promise<unknown> {
  if (deployment.pins !== null || runtime.pins === undefined) return deployment.pins;
  const { id, version, digest, config, devHot } = deployment;
  const release = { app, deploymentId: id, version, digest, replicas, devHot, ...(config === null ? {} : { config }) };
  const pins = await runtime.pins(release);
  const first = sql`coalesce(${deployments.pins}, ${sql.param(pins, deployments.pins)}::jsonb)`;
  const kept = await db.update(deployments).set({ pins: first }).where(eq(deployments.id, id)).returning({
    pins: deployments.pins,
  });
  return kept[0]?.pins ?? pins;
}
