import { and, eq, isNull } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { apps } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { lockApp } from "./app-lock.ts";
import type { App } from "./apps.ts";

/** Takes the app's row for a change that adds to the app; `conflict` when its removal has begun. */
export async function lockLiveApp(tx: Tx, id: string): Promise<App> {
  return assertLive(await lockApp(tx, id));
}

/** Takes the app's row for work by the clock, which leaves to a removal what has begun; false when it has, or has ended. */
export async function lockIfLive(tx: Tx, id: string): Promise<boolean> {
  const isLive = and(eq(apps.id, id), isNull(apps.deletingAt));
  const [app] = await tx.select({ id: apps.id }).from(apps).where(isLive).for("update");
  return app !== undefined;
}

/** The app, unless it is being removed. */
export function assertLive(app: App): App {
  if (app.deletingAt === null) return app;
  throw new AetherError("conflict", `The app "${app.name}" is being removed.`, {
    hint: "Wait until it is gone; then the name can be used again.",
  });
}
