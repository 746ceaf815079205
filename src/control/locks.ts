import { eq } from "drizzle-orm";
import { appLocked } from "../core/app-lock.ts";
import { apps } from "../db/schema.ts";
import { lockAppNamed } from "./app-lock.ts";
import type { App } from "./apps.ts";
import { recordTransition } from "./audit.ts";
import type { Actor, Control } from "./control.ts";
import { assertLive } from "./live-app.ts";
import { transact } from "./transactions.ts";

/** Nothing is released until it is unlocked; `conflict` when another lock is there. Locking twice alike is locking once. */
export function lockReleases(control: Control, name: string, { reason, actor }: { reason: string; actor: Actor }) {
  return transact(
    control,
    async (tx): Promise<App> => {
      const app = assertLive(await lockAppNamed(tx, name));
      if (app.lockedReason === reason && app.lockedBy === actor.name) return app;
      assertUnlocked(app);
      const at = control.now();
      const lock = { lockedReason: reason, lockedBy: actor.name, lockedAt: at };
      await tx.update(apps).set(lock).where(eq(apps.id, app.id));
      const change = { before: "created", after: "locked", at, detail: { reason } };
      await recordTransition(tx, actor, { subject: "app", id: app.id, appId: app.id, ...change });
      return { ...app, ...lock };
    },
    { repeatable: true },
  );
}

/** Lets releases be made again, whoever locked the app; it may be unlocked already. */
export function unlockReleases(control: Control, name: string, actor: Actor): Promise<App> {
  return transact(
    control,
    async (tx): Promise<App> => {
      const app = assertLive(await lockAppNamed(tx, name));
      if (app.lockedAt === null) return app;
      const unlocked = { lockedReason: null, lockedBy: null, lockedAt: null };
      await tx.update(apps).set(unlocked).where(eq(apps.id, app.id));
      const detail = { reason: app.lockedReason, locked_by: app.lockedBy };
      const change = { before: "locked", after: "unlocked", at: control.now(), detail };
      await recordTransition(tx, actor, { subject: "app", id: app.id, appId: app.id, ...change });
      return { ...app, ...unlocked };
    },
    { repeatable: true },
  );
}

/** Throws `conflict` for a locked app: who, when and why. */
export function assertUnlocked({ name, lockedReason, lockedBy, lockedAt }: App): void {
  if (lockedAt === null) return;
  throw appLocked(name, { by: lockedBy, at: lockedAt.toISOString(), reason: lockedReason });
}
