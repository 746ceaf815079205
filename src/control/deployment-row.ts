import { randomUUID } from "node:crypto";
import { eq, max } from "drizzle-orm";
import type { AppConfig } from "../core/app-config.ts";
import type { ReleaseOrigin } from "../core/deployment.ts";
import type { Tx } from "../db/client.ts";
import { deployments } from "../db/schema.ts";
import type { App } from "./apps.ts";
import type { Actor, Control } from "./control.ts";
import { recordDeployments, supersede } from "./deployment-transitions.ts";
import type { Deployment } from "./deployments.ts";
import { toUnpinned } from "./late-pins.ts";
import { sealReleaseVariables, type Variables } from "./release-variables.ts";
import { pinsToReload } from "./reloaded-release.ts";
import type { Artifact } from "./uploads.ts";

/** What a deployment is made of. The app's row is locked: versions have no gaps, and the newest one counts. */
export interface NewDeploymentRow {
  app: App;
  artifact: Pick<Artifact, "id" | "digest" | "signature">;
  config: AppConfig | null;
  /** Of its own configuration; the app's scale goes before it. */
  replicas: number;
  variables: Variables;
  origin: ReleaseOrigin;
  originVersion?: number;
  /** What the runtime pinned with the release whose artifact runs again. */
  repeatedPins?: unknown;
  rollbackOnFailure?: boolean;
  devHot?: boolean;
  idempotencyKey?: string | undefined;
  actor: Actor;
}

/** Writes a pending deployment with the next version, and its audit; one that was pending before is superseded. */
export async function insertDeployment(control: Control, tx: Tx, wanted: NewDeploymentRow): Promise<Deployment> {
  const { app, artifact, variables, repeatedPins, actor } = wanted;
  const at = control.now();
  const superseded = await supersede(tx, { app, status: "pending", at });
  const row = {
    ...blank,
    id: randomUUID(),
    appId: app.id,
    artifactId: artifact.id,
    digest: artifact.digest,
    version: (await newestVersion(tx, app)) + 1,
    config: wanted.config,
    replicas: wanted.replicas,
    origin: wanted.origin,
    originVersion: wanted.originVersion ?? null,
    signature: artifact.signature,
    rollbackOnFailure: wanted.rollbackOnFailure ?? false,
    devHot: wanted.devHot ?? false,
    idempotencyKey: wanted.idempotencyKey ?? null,
    createdAt: at,
    createdBy: actor.name,
    lastTransitionAt: at,
  };
  const reloads = row.devHot ? await pinsToReload({ tx, secrets: control.secrets }, app, wanted) : undefined;
  const unpinned = toUnpinned({ app: app.name, deployment: row, replicas: app.replicas ?? row.replicas });
  const pins = (await control.runtime.pins?.({ ...unpinned, reloads }, repeatedPins)) ?? null;
  const deployment: Deployment = { ...row, pins };
  const envSealed = sealReleaseVariables(control.secrets, row.id, variables);
  await tx.insert(deployments).values({ ...deployment, envSealed });
  await recordDeployments(tx, actor, [
    ...superseded.map((old) => ({ deployment: old, before: "pending" })),
    { deployment, before: null },
  ]);
  return deployment;
}

/** What a deployment begins with. */
const blank = {
  status: "pending",
  process: "web",
  environment: "production",
  failureReason: null,
  failureMessage: null,
  failureLog: null,
  runningAt: null,
} as const;

async function newestVersion(tx: Tx, app: App): Promise<number> {
  const [found] = await tx
    .select({ newest: max(deployments.version) })
    .from(deployments)
    .where(eq(deployments.appId, app.id));
  return found?.newest ?? 0;
}
