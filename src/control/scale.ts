import { eq } from "drizzle-orm";
import type { Tx } from "../db/client.ts";
import { apps } from "../db/schema.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { type Deployment, findLatest } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { transact } from "./transactions.ts";

/**
 * How many replicas an app is to have, now and with every later release; none stops it. It is no release: what runs goes
 * on. Returns the release that is scaled, where there is one.
 */
export function scaleApp(
  control: Control,
  name: string,
  { replicas, actor }: { replicas: number; actor: Actor },
): Promise<Deployment | undefined> {
  const work = async (tx: Tx) => {
    const app = assertLive(await lockAppNamed(tx, name));
    const latest = await findLatest(tx, app);
    const config = latest?.config ?? undefined;
    const problem = control.runtime.scaleProblem?.({ replicas, ...(config ? { config } : {}) });
    if (problem !== undefined) throw new AetherError("conflict", problem);
    if (app.replicas === replicas) return latest;
    await tx.update(apps).set({ replicas }).where(eq(apps.id, app.id));
    const detail = { before: app.replicas ?? latest?.replicas ?? null, after: replicas };
    const change = { before: "created", after: "scaled", at: control.now(), detail };
    await recordTransition(tx, actor, { subject: "app", id: app.id, appId: app.id, ...change });
    return latest;
  };
  return transact(control, work, { repeatable: true });
}
