import { and, eq } from "drizzle-orm";
import type { DeploymentFailure } from "../core/deployment.ts";
import type { Tx } from "../db/client.ts";
import { artifacts, deployments } from "../db/schema.ts";
import { lockApp } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransitions, type Transition } from "./audit.ts";
import { type Actor, type Control, system } from "./control.ts";
import { type Deployment, deploymentColumns } from "./deployments.ts";
import { restoreRunning } from "./return-on-failure.ts";
import { transact } from "./transactions.ts";

/** `pending → running`; the one that ran before is superseded in the same transaction. */
export async function markRunning(control: Control, id: string): Promise<void> {
  const work = async (tx: Tx) => {
    const deployment = await lockDeployment(tx, id);
    if (deployment?.status !== "pending") return undefined;
    const at = control.now();
    const superseded = await supersede(tx, { app: { id: deployment.appId }, status: "running", at });
    await recordDeployments(
      tx,
      system,
      superseded.map((old) => ({ deployment: old, before: "running" })),
    );
    await move(tx, deployment, { status: "running", lastTransitionAt: at, runningAt: at }, superseded[0]);
    await keepForRollback(tx, deployment);
    return (at.getTime() - deployment.createdAt.getTime()) / 1000;
  };
  const seconds = await transact(control, work, { repeatable: true });
  if (seconds === undefined) return;
  control.metrics.deploymentsRan.inc();
  control.metrics.timeToRunning.observe(Math.max(0, seconds));
}

/**
 * `pending → failed`, with the cause and the last lines of the log. Returns the deployment that runs and is to be applied
 * again, when the failed one asked for that: the app's variables are those of it again.
 */
export async function markFailed(
  control: Control,
  id: string,
  failure: DeploymentFailure,
): Promise<Deployment | undefined> {
  const work = async (tx: Tx) => {
    const deployment = await lockDeployment(tx, id);
    if (deployment?.status !== "pending") return { moved: false };
    await move(tx, deployment, {
      status: "failed",
      lastTransitionAt: control.now(),
      failureReason: failure.reason,
      failureMessage: failure.message,
      failureLog: failure.log,
    });
    return {
      moved: true,
      restored: deployment.rollbackOnFailure ? await restoreRunning(control, tx, deployment) : undefined,
    };
  };
  const { moved, restored } = await transact(control, work, { repeatable: true });
  if (moved) control.metrics.deploymentsFailed.inc({ reason: failure.reason });
  return restored;
}

/** What an app has in that status makes room; whoever calls records it. */
export async function supersede(
  tx: Tx,
  { app, status, at }: { app: Pick<App, "id">; status: "pending" | "running"; at: Date },
): Promise<RecordedDeployment[]> {
  const superseded = await tx
    .update(deployments)
    .set({ status: "superseded", lastTransitionAt: at })
    .where(and(eq(deployments.appId, app.id), eq(deployments.status, status)))
    .returning({ id: deployments.id, digest: deployments.digest, version: deployments.version });
  return superseded.map((row) => ({ ...row, appId: app.id, status: "superseded", lastTransitionAt: at }));
}

/** What the audit tells of a deployment. */
export type RecordedDeployment = Pick<
  Deployment,
  "id" | "appId" | "status" | "digest" | "version" | "lastTransitionAt"
> &
  Partial<Pick<Deployment, "origin" | "originVersion">>;

/** What ran until then. */
type Replaced = Pick<Deployment, "digest" | "version">;

/** Writes what became of deployments to the audit, in the transaction that made it so. */
export function recordDeployments(
  tx: Tx,
  actor: Actor,
  moves: { deployment: RecordedDeployment; before: string | null; replaced?: Replaced | undefined }[],
): Promise<void> {
  const transitions = moves.map(({ deployment, before, replaced }): Transition => {
    const { id, appId, status, digest, version, lastTransitionAt: at } = deployment;
    const rollout = replaced && { replaced_digest: replaced.digest, replaced_version: replaced.version };
    const detail = { digest, version, ...(before === null ? originOf(deployment) : {}), ...rollout };
    return { subject: "deployment", id, appId, before, after: status, at, detail };
  });
  return recordTransitions(tx, actor, transitions);
}

/** Said once, where it begins; a plain deploy needs no word. */
function originOf({ origin = "deploy", originVersion = null }: RecordedDeployment): Record<string, unknown> {
  if (origin === "deploy") return {};
  return { origin, ...(originVersion === null ? {} : { origin_version: originVersion }) };
}

async function lockDeployment(tx: Tx, id: string): Promise<Deployment | undefined> {
  const [found] = await tx.select({ appId: deployments.appId }).from(deployments).where(eq(deployments.id, id));
  if (!found) return undefined;
  await lockApp(tx, found.appId);
  const [deployment] = await tx.select(deploymentColumns).from(deployments).where(eq(deployments.id, id));
  return deployment;
}

async function move(tx: Tx, before: Deployment, change: Partial<Deployment>, replaced?: Replaced): Promise<void> {
  const [after] = await tx
    .update(deployments)
    .set(change)
    .where(eq(deployments.id, before.id))
    .returning(deploymentColumns);
  if (after) await recordDeployments(tx, system, [{ deployment: after, before: before.status, replaced }]);
}

// No older one runs after it: a newer deployment would have superseded this one under the app's lock.
async function keepForRollback(tx: Tx, { artifactId, version }: Deployment): Promise<void> {
  await tx.update(artifacts).set({ ranVersion: version }).where(eq(artifacts.id, artifactId));
}
