import { and, eq, inArray, sql } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import { recordTransitions } from "./audit.ts";
import { type Control, system } from "./control.ts";
import { deploymentColumns } from "./deployments.ts";

/**
 * Removes failed deployments whose time is over, and says how many. An app's newest one stays: it is what a person looks
 * at, and its version must not be given again.
 */
export function removeFailedDeployments({ db, now, settings }: Control): Promise<number> {
  const { deploymentFailedTtlSecs: ttl } = settings;
  if (ttl === undefined) return Promise.resolve(0);
  const at = now();
  const before = new Date(at.getTime() - ttl * 1000).toISOString();
  return db.transaction(async (tx) => {
    const due = await tx
      .select({ id: deployments.id })
      .from(deployments)
      .where(
        and(
          eq(deployments.status, "failed"),
          sql`${deployments.lastTransitionAt} < ${before}`,
          sql`exists (select from ${deployments} newer where newer.app_id = ${deployments.appId}
            and newer.environment = ${deployments.environment} and newer.process = ${deployments.process}
            and newer.version > ${deployments.version})`,
        ),
      )
      .limit(500)
      .for("update", { skipLocked: true }); // another server is at them
    const ids = due.map(({ id }) => id);
    const removed =
      ids.length === 0
        ? []
        : await tx.delete(deployments).where(inArray(deployments.id, ids)).returning(deploymentColumns);
    const transitions = removed.map(({ id, appId, digest, version }) => ({
      ...{ subject: "deployment" as const, id, appId, before: "failed", after: "removed", at },
      detail: { digest, version },
    }));
    await recordTransitions(tx, system, transitions);
    return removed.length;
  });
}
