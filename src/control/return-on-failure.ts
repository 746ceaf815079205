import type { Tx } from "../db/client.ts";
import { AetherError } from "../lib/errors.ts";
import { lockApp } from "./app-lock.ts";
import { readVariables, writeVariables } from "./app-variables.ts";
import type { App } from "./apps.ts";
import { type Control, system } from "./control.ts";
import { type Deployment, findLatest } from "./deployments.ts";
import { openReleaseVariables } from "./release-variables.ts";

/**
 * After a failure that asked for it: what runs is what the app wants again. It never stopped serving, so there is no new
 * release; but the app's variables, from which the next release is made, become again those that it runs with. Undefined
 * when nothing runs.
 */
export async function restoreRunning(control: Control, tx: Tx, failed: Deployment): Promise<Deployment | undefined> {
  const app = await lockApp(tx, failed.appId);
  const running = await findLatest(tx, app);
  if (running === undefined) return undefined;
  try {
    await mendVariables(control, tx, { app, failed, running });
  } catch (error) {
    // With another key than theirs they cannot be read; the failure must be written down all the same.
    if (!(error instanceof AetherError)) throw error;
    control.log.error("the variables of what ran could not be restored", { app: app.name, error });
  }
  return running;
}

/** What was set meanwhile without a release is nobody's failure, and stays. */
async function mendVariables(
  control: Control,
  tx: Tx,
  { app, failed, running }: { app: App; failed: Deployment; running: Deployment },
): Promise<void> {
  const at = { db: tx, secrets: control.secrets };
  const before = await readVariables(at, app.id);
  const pinned = await openReleaseVariables(at, failed.id);
  const good = await openReleaseVariables(at, running.id);
  const names = [...new Set([...Object.keys(before), ...Object.keys(good)])];
  const entries = names.flatMap((name) => {
    const value = before[name] === pinned[name] ? good[name] : before[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  await writeVariables(control, tx, { app, before, after: Object.fromEntries(entries), actor: system });
}
