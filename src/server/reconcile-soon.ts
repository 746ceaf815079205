import type { Context } from "hono";
import type { ServerEnv } from "./context.ts";

/** Has the runtime given what was just committed, without making the caller wait for it. */
export function reconcileSoon(c: Context<ServerEnv>): void {
  const { control, rollouts } = c.var;
  rollouts
    .reconcile()
    .catch((error: unknown) => control.log.error("the rollout could not start, it is tried again", { error }));
}
