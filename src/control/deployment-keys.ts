import { and, eq } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { App } from "./apps.ts";
import { type Deployment, deploymentColumns } from "./deployments.ts";

/**
 * The deployment that the same idempotency key made before, asked under the app's lock; one that was made by another
 * request is `idempotency_conflict`.
 */
export async function findRepeated(
  tx: Tx,
  app: App,
  { key, isSame }: { key: string | undefined; isSame: (earlier: Deployment) => boolean },
): Promise<Deployment | undefined> {
  if (key === undefined) return undefined;
  const [found] = await tx
    .select(deploymentColumns)
    .from(deployments)
    .where(and(eq(deployments.appId, app.id), eq(deployments.idempotencyKey, key)));
  if (found === undefined || isSame(found)) return found;
  throw new AetherError("idempotency_conflict", "This idempotency key was used for another deployment.", {
    hint: "Use a new key.",
  });
}
