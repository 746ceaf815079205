import { and, desc, eq, getTableColumns, inArray, isNull, sql } from "drizzle-orm";
import type { Queryable } from "../db/client.ts";
import { definePrepared } from "../db/prepared.ts";
import { apps, deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { isUuid } from "../lib/uuid.ts";
import { type App, getApp } from "./apps.ts";
import type { Control } from "./control.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";

// The sealed variables may be large, and no list needs them: `openReleaseVariables` reads them where they are wanted.
const { envSealed: _, ...columns } = getTableColumns(deployments);

/** What is read of a deployment. */
export const deploymentColumns = columns;

export type Deployment = Omit<typeof deployments.$inferSelect, "envSealed">;

export type { ReplicaStatus } from "../runtime/runtime.ts";

export interface NamedDeployment {
  app: string;
  deployment: Deployment;
}

/** Deployments, newest first, of one app or of a scope. */
export async function listDeployments(
  { db }: Control,
  { app, scope, limit, offset }: Page & { app?: string | undefined; scope?: Scope },
): Promise<NamedDeployment[]> {
  if (app !== undefined) await getApp(db, app);
  return db
    .select({ app: apps.name, deployment: deploymentColumns })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(inScope(app === undefined ? scope : [app]))
    .orderBy(desc(deployments.createdAt), desc(deployments.version))
    .limit(limit)
    .offset(offset);
}

/** One deployment of the scope, or `not_found`. */
export async function getDeployment({ db }: Control, id: string, scope: Scope): Promise<WantedDeployment> {
  const [found] = isUuid(id) ? await byId(db).execute({ id }) : [];
  if (found && (scope === undefined || scope.includes(found.app))) return found;
  throw new AetherError("not_found", `There is no deployment "${id}".`);
}

/** What the app was last told to run, if that has not failed: the release that waits for its verdict, else what runs. */
export async function findLatest(db: Queryable, app: Pick<App, "id">): Promise<Deployment | undefined> {
  const [latest] = await db
    .select(deploymentColumns)
    .from(deployments)
    .where(and(eq(deployments.appId, app.id), inArray(deployments.status, ["pending", "running"])))
    .orderBy(desc(deployments.version))
    .limit(1);
  return latest;
}

/** A deployment with the number of replicas that is wanted now: its app's, else its own. */
export interface WantedDeployment extends NamedDeployment {
  replicas: number;
}

/** The deployments that ought to be applied, oldest first: of each app what runs, and what waits. */
export async function listWanted({ db }: Control): Promise<WantedDeployment[]> {
  return db
    .select({ app: apps.name, deployment: deploymentColumns, replicas: wantedReplicas() })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(and(sql`${deployments.status} in ('pending', 'running')`, isNull(apps.deletingAt)))
    .orderBy(deployments.createdAt, deployments.version);
}

const wantedReplicas = () => sql<number>`coalesce(${apps.replicas}, ${deployments.replicas})`;

/** Whoever waits for a verdict asks for it again and again. */
const byId = definePrepared((db) =>
  db
    .select({ app: apps.name, deployment: deploymentColumns, replicas: wantedReplicas().as("wanted_replicas") })
    .from(deployments)
    .innerJoin(apps, eq(apps.id, deployments.appId))
    .where(eq(deployments.id, sql.placeholder("id")))
    .prepare("deployment_by_id"),
);
