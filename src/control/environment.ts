import type { Tx } from "../db/client.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { readVariables, writeVariables } from "./app-variables.ts";
import type { App } from "./apps.ts";
import type { Actor, Control } from "./control.ts";
import { type Deployment, findLatest } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { assertUnlocked } from "./locks.ts";
import { haveSameVariables, openReleaseVariables, type Variables } from "./release-variables.ts";
import { repeatRelease } from "./repeated-release.ts";
import { transact } from "./transactions.ts";

export interface EnvironmentChange {
  app: string;
  set: Variables;
  unset: string[];
  /** What is not in `set` goes. */
  replace?: boolean;
  /** False: the next release gets them, and none is made now. */
  deploy: boolean;
  rollbackOnFailure?: boolean;
}

/** Null: nothing runs that could have got them, or it was not to. */
export type EnvironmentChanged = { names: string[]; deployment: Deployment | null };

/**
 * Changes an app's variables, and with them what runs: the same artifact is released again with the new ones, in the same
 * transaction. Doing it twice is doing it once: a release that has these variables already is the answer.
 */
export function changeEnvironment(
  control: Control,
  change: EnvironmentChange,
  actor: Actor,
): Promise<EnvironmentChanged> {
  const work = async (tx: Tx): Promise<EnvironmentChanged> => {
    const app = assertLive(await lockAppNamed(tx, change.app));
    const before = await readVariables({ db: tx, secrets: control.secrets }, app.id);
    const after = applied(before, change);
    await writeVariables(control, tx, { app, before, after, actor });
    const deployment = change.deploy ? await releaseWith(control, tx, { app, variables: after, change, actor }) : null;
    return { names: Object.keys(after).sort(), deployment };
  };
  return transact(control, work, { repeatable: true });
}

function applied(before: Variables, { set, unset, replace }: EnvironmentChange): Variables {
  const both = unset.find((name) => Object.hasOwn(set, name));
  if (both !== undefined) {
    throw new AetherError("bad_request", `${both} is to be set and unset at once.`, { hint: "Say one of both." });
  }
  const kept = replace ? {} : Object.fromEntries(Object.entries(before).filter(([name]) => !unset.includes(name)));
  return { ...kept, ...set };
}

async function releaseWith(
  control: Control,
  tx: Tx,
  wanted: { app: App; variables: Variables; change: EnvironmentChange; actor: Actor },
): Promise<Deployment | null> {
  const { app, variables, change, actor } = wanted;
  const latest = await findLatest(tx, app);
  if (latest === undefined) return null;
  const pinned = await openReleaseVariables({ db: tx, secrets: control.secrets }, latest.id);
  if (haveSameVariables(pinned, variables)) return latest;
  assertUnlocked(app);
  const rollbackOnFailure = change.rollbackOnFailure ?? false;
  return repeatRelease(control, tx, { app, release: latest, variables, origin: "env", rollbackOnFailure, actor });
}
