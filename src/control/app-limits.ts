import { eq } from "drizzle-orm";
import { apps } from "../db/schema.ts";
import { lockAppNamed } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";

/** What replaces the server's quotas and retention for one app; null is the server's own. */
export type AppLimits = Pick<App, "maxArtifacts" | "maxTotalBytes" | "retainLatest" | "retainMaxAgeSecs">;

/** Changes the limits that are named; the audit has them before and after. */
export async function setAppLimits(
  { db, now }: Control,
  name: string,
  limits: Partial<AppLimits>,
  actor: Actor,
): Promise<App> {
  return db.transaction(async (tx) => {
    const before = assertLive(await lockAppNamed(tx, name));
    const { id } = before;
    const changed = Object.fromEntries(
      Object.entries(limits).filter(([key, value]) => before[key as keyof App] !== value),
    );
    if (Object.keys(changed).length === 0) return before;
    const [after = before] = await tx.update(apps).set(changed).where(eq(apps.id, id)).returning();
    const detail = { before: limitsOf(before), after: limitsOf(after) };
    const change = { before: "created", after: "updated", at: now(), detail };
    await recordTransition(tx, actor, { subject: "app", id, appId: id, ...change });
    return after;
  });
}

function limitsOf({ maxArtifacts, maxTotalBytes, retainLatest, retainMaxAgeSecs }: App): AppLimits {
  return { maxArtifacts, maxTotalBytes, retainLatest, retainMaxAgeSecs };
}
