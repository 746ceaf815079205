import type { Rollouts } from "../control/rollouts.ts";
import type { Poller } from "./poller.ts";

/** The net under every rollout: what an error left undone is tried again. */
export function rolloutsPoller(rollouts: Rollouts, everyMs: number): Poller {
  return { name: "rollouts", everyMs, tick: () => rollouts.reconcile() };
}
