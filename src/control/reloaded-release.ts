import { isDeepStrictEqual } from "node:util";
import { and, desc, eq } from "drizzle-orm";
import type { AppConfig } from "../core/app-config.ts";
import type { Tx } from "../db/client.ts";
import { deployments } from "../db/schema.ts";
import type { Sealer } from "../lib/sealer.ts";
import type { App } from "./apps.ts";
import { haveSameVariables, openReleaseVariables, type Variables } from "./release-variables.ts";

/**
 * What is pinned with the dev-hot release that runs, when all but the code of the next one is the same: then its code is loaded
 * into the replicas that are there. Undefined: it needs replicas of its own.
 */
export async function pinsToReload(
  { tx, secrets }: { tx: Tx; secrets: Sealer },
  app: App,
  wanted: { config: AppConfig | null; variables: Variables },
): Promise<unknown> {
  const [running] = await tx
    .select({ id: deployments.id, config: deployments.config, devHot: deployments.devHot, pins: deployments.pins })
    .from(deployments)
    .where(and(eq(deployments.appId, app.id), eq(deployments.status, "running")))
    .orderBy(desc(deployments.version))
    .limit(1);
  if (!running?.devHot || !isDeepStrictEqual(running.config, wanted.config)) return undefined;
  const variables = await openReleaseVariables({ db: tx, secrets }, running.id);
  return haveSameVariables(variables, wanted.variables) ? (running.pins ?? undefined) : undefined;
}
