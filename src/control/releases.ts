import { and, desc, eq } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { getApp } from "./apps.ts";
import type { Control } from "./control.ts";
import { deploymentColumns, type NamedDeployment } from "./deployments.ts";
import type { Page } from "./page.ts";
import { changedNames, openReleaseVariables, type Variables } from "./release-variables.ts";

/** A release, and which variables it has; never what they hold. */
export interface ListedRelease extends NamedDeployment {
  /** Null when this server's keys do not open them. */
  variables: string[] | null;
  /** What is set, unset or otherwise than in the version before; null when either cannot be opened. */
  changedVariables: string[] | null;
}

/** An app's releases, newest version first: its deployments without the passing ones of hot reload. */
export async function listReleases(control: Control, app: string, { limit, offset }: Page): Promise<ListedRelease[]> {
  const { id } = await getApp(control.db, app);
  const rows = await control.db
    .select(deploymentColumns)
    .from(deployments)
    .where(and(eq(deployments.appId, id), eq(deployments.devHot, false)))
    .orderBy(desc(deployments.version))
    .limit(limit + 1) // the one before the oldest shown
    .offset(offset);
  const listed: ListedRelease[] = [];
  let after: Variables | undefined;
  for (const [index, deployment] of rows.entries()) {
    // One after the other: a page of large ones is never held at once.
    const variables = await openIfPossible(control, deployment.id);
    const newer = listed[index - 1];
    if (newer) newer.changedVariables = after && variables ? changedNames(variables, after) : null;
    if (index === limit) break;
    const names = variables ? Object.keys(variables).sort() : null;
    listed.push({ app, deployment, variables: names, changedVariables: names });
    after = variables;
  }
  return listed;
}

async function openIfPossible(control: Control, deploymentId: string): Promise<Variables | undefined> {
  try {
    return await openReleaseVariables(control, deploymentId);
  } catch (error) {
    if (error instanceof AetherError) return undefined;
    throw error;
  }
}
