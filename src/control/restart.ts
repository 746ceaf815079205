import type { Tx } from "../db/client.ts";
import { AetherError } from "../lib/errors.ts";
import { lockAppNamed } from "./app-lock.ts";
import { readVariables } from "./app-variables.ts";
import type { Actor, Control } from "./control.ts";
import type { CreatedDeployment } from "./deployment-creation.ts";
import { findRepeated } from "./deployment-keys.ts";
import { findLatest } from "./deployments.ts";
import { assertLive } from "./live-app.ts";
import { assertUnlocked } from "./locks.ts";
import { repeatRelease } from "./repeated-release.ts";
import { transact } from "./transactions.ts";

/** What runs, released again with the app's variables as they are now: new processes, without a gap. */
export function restartApp(
  control: Control,
  { app: name, idempotencyKey }: { app: string; idempotencyKey?: string | undefined },
  actor: Actor,
): Promise<CreatedDeployment> {
  const work = async (tx: Tx): Promise<CreatedDeployment> => {
    const app = assertLive(await lockAppNamed(tx, name));
    const isSame = ({ origin }: { origin: string }) => origin === "restart";
    const earlier = await findRepeated(tx, app, { key: idempotencyKey, isSame });
    if (earlier) return { ...earlier, replayed: true };
    assertUnlocked(app);
    const release = await findLatest(tx, app);
    if (release === undefined) {
      throw new AetherError("conflict", `Nothing of "${name}" runs that could be restarted.`, {
        hint: "Deploy it, or return to a version that ran: aether rollback.",
      });
    }
    const variables = await readVariables({ db: tx, secrets: control.secrets }, app.id);
    const wanted = { app, release, variables, origin: "restart" as const, idempotencyKey, actor };
    return { ...(await repeatRelease(control, tx, wanted)), replayed: false };
  };
  return transact(control, work, { repeatable: idempotencyKey !== undefined });
}
