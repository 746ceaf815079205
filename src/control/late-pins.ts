import { eq, sql } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import type { UnpinnedRelease } from "../runtime/runtime.ts";
import type { Control } from "./control.ts";
import type { Deployment, WantedDeployment } from "./deployments.ts";

/**
 * What the runtime keeps with a release. One that was made under another runtime has nothing yet: it is pinned by the one that
 * runs it first, once, or each start of a server would pin it anew, and roll it.
 */
export async function pinsOf({ db, runtime }: Control, wanted: WantedDeployment): Promise<unknown> {
  const { deployment } = wanted;
  if (deployment.pins !== null || runtime.pins === undefined) return deployment.pins;
  const pins = await runtime.pins(toUnpinned(wanted));
  const first = sql`coalesce(${deployments.pins}, ${sql.param(pins, deployments.pins)}::jsonb)`;
  const kept = await db.update(deployments).set({ pins: first }).where(eq(deployments.id, deployment.id)).returning({
    pins: deployments.pins,
  });
  return kept[0]?.pins ?? pins;
}

/** What a runtime is told of a release whose pins it makes. */
export function toUnpinned({ app, deployment, replicas }: UnpinnedDeployment): UnpinnedRelease {
  const { id, version, digest, config, devHot } = deployment;
  return { app, deploymentId: id, version, digest, replicas, devHot, ...(config === null ? {} : { config }) };
}

interface UnpinnedDeployment extends Pick<WantedDeployment, "app" | "replicas"> {
  deployment: Pick<Deployment, "id" | "version" | "digest" | "config" | "devHot">;
}
