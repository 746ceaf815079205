import { eq } from "drizzle-orm";
import { parseAppName } from "../core/app-name.ts";
import type { Tx } from "../db/client.ts";
import { apps } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { type App, unknownApp } from "./apps.ts";

/**
 * Takes the app's row, under which its quota is decided, its versions are given and its artifacts are removed. Whoever
 * takes it takes it before any row of the app's artifacts and deployments, so that no two wait for each other.
 */
export async function lockApp(tx: Tx, id: string): Promise<App> {
  const [app] = await tx.select().from(apps).where(eq(apps.id, id)).for("update");
  if (app) return app;
  throw new AetherError("not_found", "The app was removed meanwhile.");
}

/** The same by name, `not_found` where there is none. */
export async function lockAppNamed(tx: Tx, name: string): Promise<App> {
  const [app] = await tx
    .select()
    .from(apps)
    .where(eq(apps.name, parseAppName(name)))
    .for("update");
  if (app) return app;
  throw unknownApp(name);
}
