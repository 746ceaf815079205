import { randomUUID } from "node:crypto";
import { asc, desc, eq, sql } from "drizzle-orm";
import { parseAppName } from "../core/app-name.ts";
import type { DeploymentStatus, FailureReason } from "../core/deployment.ts";
import type { Queryable } from "../db/client.ts";
import { apps, deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import type { ReplicaStatus } from "../runtime/runtime.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";
import type { Page } from "./page.ts";
import { inScope, type Scope } from "./scope.ts";

export type App = typeof apps.$inferSelect;

/** An app with its newest deployment. */
export interface ListedApp {
  app: App;
  newest: {
    id: string;
    version: number;
    status: DeploymentStatus;
    digest: string;
    /** Why it failed, or why it does not answer although it ought to run. */
    failureReason: FailureReason | null;
  } | null;
}

/** The applications of a scope, by name. */
export async function listApps(
  { db, runtime }: Control,
  { scope, limit, offset }: Page & { scope?: Scope },
): Promise<ListedApp[]> {
  const newest = db
    .select({
      id: deployments.id,
      version: deployments.version,
      status: deployments.status,
      digest: deployments.digest,
      failureReason: deployments.failureReason,
    })
    .from(deployments)
    .where(eq(deployments.appId, apps.id))
    .orderBy(desc(deployments.createdAt), desc(deployments.version))
    .limit(1)
    .as("newest");
  const rows = await db
    .select({
      app: apps,
      newest: {
        id: newest.id,
        version: newest.version,
        status: newest.status,
        digest: newest.digest,
        failureReason: newest.failureReason,
      },
    })
    .from(apps)
    .leftJoinLateral(newest, sql`true`)
    .where(inScope(scope))
    .orderBy(asc(apps.name))
    .limit(limit)
    .offset(offset);
  return Promise.all(
    rows.map(async ({ app, newest }) => {
      if (newest?.status !== "running") return { app, newest };
      const replicas = await runtime.replicas(app.name);
      return { app, newest: { ...newest, failureReason: whyNoneServes(replicas, newest.version) } };
    }),
  );
}

/** Null while a replica of that version answers, and while nothing is known. */
function whyNoneServes(replicas: ReplicaStatus[], version: number): FailureReason | null {
  const own = replicas.filter((replica) => replica.version === version);
  if (own.some(({ state }) => state === "running")) return null;
  return own.find(({ failure }) => failure !== undefined)?.failure?.reason ?? null;
}

/** The application of that name, or `not_found`. */
export async function getApp(db: Queryable, name: string): Promise<App> {
  const [app] = await db
    .select()
    .from(apps)
    .where(eq(apps.name, parseAppName(name)));
  if (app) return app;
  throw unknownApp(name);
}

/** What an app answers that does not exist, or that is none of the caller's business. */
export function unknownApp(name: string): AetherError {
  return new AetherError("not_found", `There is no app "${name}".`, { hint: "See aether list, or deploy it first." });
}

/** Creates an application; `conflict` when the name is taken. */
export async function createApp(control: Control, name: string, actor: Actor): Promise<App> {
  const app = await insertApp(control, parseAppName(name), actor);
  if (app) return app;
  throw new AetherError("conflict", `The app "${name}" exists already.`);
}

/** The application of that name, created by the first upload for it. */
export async function ensureApp(control: Control, name: string, actor: Actor): Promise<App> {
  const parsed = parseAppName(name);
  const [found] = await control.db.select().from(apps).where(eq(apps.name, parsed));
  return assertLive(found ?? (await insertApp(control, parsed, actor)) ?? (await getApp(control.db, parsed)));
}

/** The application that had this name and id before; `not_found` when it was deleted, also when another has its name now. */
export async function getSameApp(db: Queryable, { name, id }: { name: string; id: string }): Promise<App> {
  const [app] = await db
    .select()
    .from(apps)
    .where(eq(apps.name, parseAppName(name)));
  if (app?.id === id) return assertLive(app);
  throw new AetherError("not_found", `The app "${name}" was deleted meanwhile.`, {
    hint: "Upload without its id to create it anew.",
  });
}

async function insertApp({ db, now }: Control, name: string, actor: Actor): Promise<App | undefined> {
  return db.transaction(async (tx) => {
    const at = now();
    const [app] = await tx
      .insert(apps)
      .values({ id: randomUUID(), name, createdAt: at })
      .onConflictDoNothing()
      .returning();
    if (app)
      await recordTransition(tx, actor, {
        subject: "app",
        id: app.id,
        appId: app.id,
        before: null,
        after: "created",
        at,
      });
    return app;
  });
}
