import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { and, desc, eq, isNull, max, sql } from "drizzle-orm";
import type { AppConfig } from "../core/app-config.ts";
import type { DeploymentFailure } from "../core/deployment.ts";
import { type Digest, parseDigest } from "../core/digest.ts";
import type { Tx } from "../db/client.ts";
import { definePrepared } from "../db/prepared.ts";
import { apps, deployments } from "../db/schema.ts";
import { crashPoint } from "../lib/crash-point.ts";
import { AetherError } from "../lib/errors.ts";
import { isUuid } from "../lib/uuid.ts";
import { lockApp, lockAppNamed } from "./app-lock.ts";
import { type App, getApp } from "./apps.ts";
import { getStoredArtifact, type NamedArtifact } from "./artifacts.ts";
import { recordTransitions, type Transition } from "./audit.ts";
import { type Actor, type Control, system } from "./control.ts";
import { assertLive } from "./live-app.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";
import { assertSigned, attachSignature, type Signed, verifySignature } from "./signatures.ts";
import { transact } from "./transactions.ts";

export type Deployment = typeof deployments.$inferSelect;

export interface NamedDeployment {
  app: string;
  deployment: Deployment;
}

/** `replayed` when its idempotency key had made it before. */
export type CreatedDeployment = Deployment & { replayed: boolean };

export interface NewDeployment {
  app: string;
  digest?: string | undefined;
  artifactUrl?: string | undefined;
  config?: AppConfig | undefined;
  replicas?: number | undefined;
  /** Of the digest, for an artifact that was stored without one. */
  signature?: string | undefined;
  idempotencyKey?: string | undefined;
}

/** Records what is wanted; the rollout makes it so. The same idempotency key gives the same deployment. */
export async function createDeployment(
  control: Control,
  wanted: NewDeployment,
  actor: Actor,
): Promise<CreatedDeployment> {
  const digest = wantedDigest(wanted);
  const signed = await signatureOf(control, { ...wanted, digest });
  const create = async (tx: Tx): Promise<CreatedDeployment> => {
    // The app's row serialises its deployments: versions have no gaps, and the newest one is the one that counts. It also
    // keeps retention out, so that what is found stored here stays.
    const app = assertLive(await lockAppNamed(tx, wanted.app));
    const earlier = await findByKey(tx, app, wanted.idempotencyKey);
    if (earlier) return { ...assertSameRequest(earlier, wanted, digest), replayed: true };
    const at = control.now();
    const { artifact } = await getDeployable(control, tx, { app, digest, signed, actor, at });
    const [{ newest } = { newest: null }] = await tx
      .select({ newest: max(deployments.version) })
      .from(deployments)
      .where(eq(deployments.appId, app.id));
    const superseded = await supersede(tx, { app, status: "pending", at });
    const deployment: Deployment = {
      ...blank,
      id: randomUUID(),
      appId: app.id,
      artifactId: artifact.id,
      digest,
      version: (newest ?? 0) + 1,
      config: wanted.config ?? null,
      replicas: wanted.replicas ?? 1,
      signature: artifact.signature,
      idempotencyKey: wanted.idempotencyKey ?? null,
      createdAt: at,
      lastTransitionAt: at,
    };
    await tx.insert(deployments).values(deployment);
    await record(tx, actor, [
      ...superseded.map((old) => ({ deployment: old, before: "pending" })),
      { deployment, before: null },
    ]);
    return { ...deployment, replayed: false };
  };
  const created = await transact(control, create, { repeatable: wanted.idempotencyKey !== undefined });
  crashPoint("deployment-created");
  return created;
}

/** What a deployment begins with. */
const blank = {
  status: "pending",
  process: "web",
  environment: "production",
  devHot: false,
  failureReason: null,
  failureMessage: null,
  failureLog: null,
} as const;

async function signatureOf(
  { db }: Control,
  { app, digest, signature }: { app: string; digest: Digest; signature?: string | undefined },
): Promise<Signed | undefined> {
  return signature === undefined ? undefined : verifySignature(db, { app, digest, signature });
}

/** The stored artifact with its signature, if it may be deployed. */
async function getDeployable(
  control: Control,
  tx: Tx,
  { app, digest, signed, ...by }: { app: App; digest: Digest; signed: Signed | undefined; actor: Actor; at: Date },
): Promise<NamedArtifact> {
  const unsigned = await getStoredArtifact({ db: tx }, digest, [app.name]);
  if (signed) await attachSignature(tx, unsigned.artifact, { signed, ...by });
  const found = signed ? await getStoredArtifact({ db: tx }, digest, [app.name]) : unsigned;
  assertSigned(control, found);
  return found;
}

/** Deployments, newest first, of one app or of a scope. */
export async function listDeployments(
  { db }: Control,
  { app, scope, limit, offset }: Page & { app?: string | undefined; scope?: Scope },
): Promise<NamedDeployment[]> {
  if (app !== undefined) await getApp(db, app);
  return db
    .select({ app: apps.name, deployment: deployments })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(inScope(app === undefined ? scope : [app]))
    .orderBy(desc(deployments.createdAt), desc(deployments.version))
    .limit(limit)
    .offset(offset);
}

/** One deployment of the scope, or `not_found`. */
export async function getDeployment({ db }: Control, id: string, scope: Scope): Promise<NamedDeployment> {
  const [found] = isUuid(id) ? await byId(db).execute({ id }) : [];
  if (found && (scope === undefined || scope.includes(found.app))) return found;
  throw new AetherError("not_found", `There is no deployment "${id}".`);
}

/** Whoever waits for a verdict asks for it again and again. */
const byId = definePrepared((db) =>
  db
    .select({ app: apps.name, deployment: deployments })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(eq(deployments.id, sql.placeholder("id")))
    .prepare("deployment_by_id"),
);

/** `pending → running`; the one that ran before is superseded in the same transaction. */
export async function markRunning(control: Control, id: string): Promise<void> {
  const work = async (tx: Tx) => {
    const deployment = await lockDeployment(tx, id);
    if (deployment?.status !== "pending") return undefined;
    const at = control.now();
    const superseded = await supersede(tx, { app: { id: deployment.appId }, status: "running", at });
    await record(
      tx,
      system,
      superseded.map((old) => ({ deployment: old, before: "running" })),
    );
    await move(tx, deployment, { status: "running", lastTransitionAt: at });
    return (at.getTime() - deployment.createdAt.getTime()) / 1000;
  };
  const seconds = await transact(control, work, { repeatable: true });
  if (seconds === undefined) return;
  control.metrics.deploymentsRan.inc();
  control.metrics.timeToRunning.observe(Math.max(0, seconds));
}

/** `pending → failed`, with the cause and the last lines of the log. */
export async function markFailed(control: Control, id: string, failure: DeploymentFailure): Promise<void> {
  const work = async (tx: Tx) => {
    const deployment = await lockDeployment(tx, id);
    if (deployment?.status !== "pending") return false;
    await move(tx, deployment, {
      status: "failed",
      lastTransitionAt: control.now(),
      failureReason: failure.reason,
      failureMessage: failure.message,
      failureLog: failure.log,
    });
    return true;
  };
  const moved = await transact(control, work, { repeatable: true });
  if (moved) control.metrics.deploymentsFailed.inc({ reason: failure.reason });
}

async function lockDeployment(tx: Tx, id: string): Promise<Deployment | undefined> {
  const [found] = await tx.select({ appId: deployments.appId }).from(deployments).where(eq(deployments.id, id));
  if (!found) return undefined;
  await lockApp(tx, found.appId);
  const [deployment] = await tx.select().from(deployments).where(eq(deployments.id, id));
  return deployment;
}

async function supersede(
  tx: Tx,
  { app, status, at }: { app: Pick<App, "id">; status: "pending" | "running"; at: Date },
): Promise<Recorded[]> {
  const superseded = await tx
    .update(deployments)
    .set({ status: "superseded", lastTransitionAt: at })
    .where(and(eq(deployments.appId, app.id), eq(deployments.status, status)))
    .returning({ id: deployments.id, digest: deployments.digest, version: deployments.version });
  return superseded.map((row) => ({ ...row, appId: app.id, status: "superseded", lastTransitionAt: at }));
}

async function move(tx: Tx, before: Deployment, change: Partial<Deployment>): Promise<void> {
  const [after] = await tx.update(deployments).set(change).where(eq(deployments.id, before.id)).returning();
  if (after) await record(tx, system, [{ deployment: after, before: before.status }]);
}

/** What the audit tells of a deployment. */
type Recorded = Pick<Deployment, "id" | "appId" | "status" | "digest" | "version" | "lastTransitionAt">;

function record(tx: Tx, actor: Actor, moves: { deployment: Recorded; before: string | null }[]): Promise<void> {
  const transitions = moves.map(({ deployment, before }): Transition => {
    const { id, appId, status, digest, version, lastTransitionAt: at } = deployment;
    return { subject: "deployment", id, appId, before, after: status, at, detail: { digest, version } };
  });
  return recordTransitions(tx, actor, transitions);
}

async function findByKey(tx: Tx, app: App, key: string | undefined): Promise<Deployment | undefined> {
  if (key === undefined) return undefined;
  const [found] = await tx
    .select()
    .from(deployments)
    .where(and(eq(deployments.appId, app.id), eq(deployments.idempotencyKey, key)));
  return found;
}

function assertSameRequest(deployment: Deployment, wanted: NewDeployment, digest: Digest): Deployment {
  const same =
    deployment.digest === digest &&
    deployment.replicas === (wanted.replicas ?? 1) &&
    isDeepStrictEqual(deployment.config ?? undefined, wanted.config);
  if (same) return deployment;
  throw new AetherError("idempotency_conflict", "This idempotency key was used for another deployment.", {
    hint: "Use a new key.",
  });
}

/** An `artifact_url` is resolved to a digest of that app and never fetched as given. */
function wantedDigest({ app, digest, artifactUrl }: NewDeployment): Digest {
  if (digest !== undefined || artifactUrl === undefined) return parseDigest(digest, { prefix: true });
  const path = URL.canParse(artifactUrl) ? new URL(artifactUrl).pathname : artifactUrl;
  const match =
    /(?:^|\/)artifacts\/([a-z][-a-z0-9]*)\/([0-9a-f]{64})\/app\.tar\.gz$/.exec(path) ??
    /()\/artifacts\/([0-9a-f]{64})\/download$/.exec(path);
  if (match && (match[1] === "" || match[1] === app)) return parseDigest(match[2]);
  throw new AetherError("not_found", "The artifact_url names no stored artifact of this app.", {
    hint: "Send the artifact's digest instead.",
  });
}

/** The deployments that ought to be applied, oldest first: of each app what runs, and what waits. */
export async function listWanted({ db }: Control): Promise<NamedDeployment[]> {
  return db
    .select({ app: apps.name, deployment: deployments })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(and(sql`${deployments.status} in ('pending', 'running')`, isNull(apps.deletingAt)))
    .orderBy(deployments.createdAt, deployments.version);
}
