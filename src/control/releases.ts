import { and, desc, eq } from "drizzle-orm";
import { deployments } from "../db/schema.ts";
import { getApp } from "./apps.ts";
import type { Control } from "./control.ts";
import { deploymentColumns, type NamedDeployment } from "./deployments.ts";
import type { Page } from "./page.ts";

/** An app's releases, newest version first: its deployments without the passing ones of hot reload. */
export async function listReleases({ db }: Control, app: string, { limit, offset }: Page): Promise<NamedDeployment[]> {
  const { id } = await getApp(db, app);
  const rows = await db
    .select(deploymentColumns)
    .from(deployments)
    .where(and(eq(deployments.appId, id), eq(deployments.devHot, false)))
    .orderBy(desc(deployments.version))
    .limit(limit)
    .offset(offset);
  return rows.map((deployment) => ({ app, deployment }));
}
