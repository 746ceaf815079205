import type { Tx } from "../db/client.ts";
import { AetherError } from "../lib/errors.ts";
import { lockApp } from "./app-lock.ts";
import type { App } from "./apps.ts";

/** Takes the app's row for a change that adds to the app; `conflict` when its removal has begun. */
export async function lockLiveApp(tx: Tx, id: string): Promise<App> {
  return assertLive(await lockApp(tx, id));
}

/** The app, unless it is being removed. */
export function assertLive(app: App): App {
  if (app.deletingAt === null) return app;
  throw new AetherError("conflict", `The app "${app.name}" is being removed.`, {
    hint: "Wait until it is gone; then the name can be used again.",
  });
}
